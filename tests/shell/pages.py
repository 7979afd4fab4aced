"""Shell as pages emit it: each is loaded as for a deploy, for a host that notes what it is asked to run."""

import runpy
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch

import jinja2
import yaml
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host

import deploys
from deploys import checkpoint, drift, packages
from deploys.inspect import clock, connection, host_status, patches
from deploys.kit.errors import Refused
from deploys.kit.plan import runbook, settings
from deploys.kit.run import page, run_stats, session
from deploys.services.alerts import samples
from deploys.services.platform import updates
from tests import made_up_pins
from tests.lab import inputs
from tests.shell.script import Script, dialect

PROJECT: Final = Path(deploys.__file__).parents[1]
PARTS: Final = "files listeners active containers pods networks volumes".split()
DEAD: Final = "run-20261121-103000-0a0b"
NO_RECORD: Final = f"0 {'0' * 64} 0a"
# What an empty host says to a question, by a part of it: only what a page refuses to go on without.
ANSWERS: Final = {
    "then echo taken": ["broke", "taken"],
    f"|| {{ echo {NO_RECORD}": [NO_RECORD],
    "openssl x509": ["status=0"],
    updates.HAS_APT: ["status=0"],
}
LIVED_IN: Final = {
    "SELECT datname": ["motorcade", "status=0"],
    "pg_file_settings WHERE sourcefile": ["work_mem", "status=0"],
    "dangling=true": ["status=0"],
    "/drill.json": ["2026-11-21T10:30:00Z", "status=0"],
    "systemd has loaded another unit": ["systemd has loaded another unit", "status=0"],
    "*.json *.red": [
        line
        for name in ("PLAT_01", "PLAT_08")
        for line in (f"==> {name}.json <==", '{"passed": "then", "files": {"/etc/x": "0"}}')
    ],
    "sha256sum -- /etc/x": ["0  /etc/x", "status=0"],
    f"{updates.PROGRAM} pending": ["held nginx 1 2", "status=0"],
    "podman inspect --format '{{.ImageName}} {{.Image}}'": ["localhost/motorcade-redis:1 0", "status=0"],
    "== listeners": [*(f"== {part}" for part in PARTS), "status=0"],
}
# Both ways of each page that has two.
RUNS: Final = (
    ["state=on", "at=2026-11-21T18:30:00Z"],
    ["state=off", "over=live", "reason=why", f"acknowledge={DEAD}"],
)


@dataclass
class Notebook:
    """What a host without anything on it was asked to run, and the templates that were read for that."""

    scripts: dict[str, Script] = field(default_factory=dict)
    templates: set[str] = field(default_factory=set)
    doing: str = ""
    lived_in: bool = False  # something is there, and not as it should be

    def run(self, command: StringCommand | str, **_: object) -> tuple[bool, CommandOutput]:
        """In the place of Host.run_shell_command: it notes, and runs nothing."""
        asked = command if isinstance(command, StringCommand) else StringCommand(command)
        self.note(asked)
        text = asked.get_raw_value()
        answer = ["status=1"] if text.endswith("echo status=$?") else []
        answer = next((lines for part, lines in ANSWERS.items() if part in text), answer)
        if self.lived_in:
            answer = next((lines for part, lines in LIVED_IN.items() if part in text), answer)
            if "kind=directory" in text:
                paths = shlex.split(shlex.split(text)[2].partition("in ")[2].partition(";")[0])
                answer = [f"{'0' * 64} 600 nobody nogroup 1 1 {path}" for path in paths]
        return True, CommandOutput([OutputLine("stdout", line) for line in answer])

    def note(self, command: StringCommand) -> None:
        text = command.get_raw_value()
        self.add(Script(self.doing, f"{text}\n"))
        if " sh -s " in text:
            self.add(Script(f"{self.doing}, its standard input", str(command.connector_arguments["_stdin"])))

    def note_way_back(self, _path: str, restore: str) -> None:
        """In the place of Session.note_backup."""
        self.add(Script(f"{self.doing}, the way back", restore))

    def add(self, script: Script) -> None:
        for each in (script, *script.inner()):
            self.scripts.setdefault(each.text, each)


def emitted() -> Notebook:
    """What all pages, and the commands that look at a host, make it run."""
    notebook = Notebook()
    with TemporaryDirectory() as folder, _rendering(notebook):
        given = _inputs(Path(folder))
        for words in RUNS:
            with connection.connected(f"{folder}/lab.py", None, [*given, *words]) as (host,), ctx_host.use(host):
                host.run_shell_command = notebook.run  # type: ignore[method-assign]  # of this host alone
                notebook.lived_in = words != RUNS[0]
                _load(notebook, host)
                _execute(notebook, host)
                _look(notebook, host)
                notebook.doing = "the end of a run"
    return notebook


def _inputs(folder: Path) -> list[str]:
    """What a lab host's pages are given, with something in each place that the lab would have measured."""
    manifest = made_up_pins.fill(yaml.safe_load(inputs.MANIFEST.read_text(encoding="utf-8")))
    (folder / "release.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False), encoding="utf-8")
    (folder / "base.tar").touch()
    inputs.write_secrets(folder / "identity.txt", folder / "secrets")
    (folder / "lab.py").write_text("hosts = ['@local']\n", encoding="ascii")
    return [
        f"release_file={folder}/release.yaml",
        f"secrets_directory={folder}/secrets",
        f"age_identity={folder}/identity.txt",
        f"deployments_directory={folder}/deployments",
        f"base_archive={folder}/base.tar",
        # Every channel of the alerts; the webhook is the lab's own.
        "alerts_smtp_url=smtps://mail.test",
        "alerts_mail_from=alerts@motorcade.test",
        "alerts_mail_to=ann@motorcade.test",
        "alerts_ntfy_url=https://ntfy.test/topic",
        "alerts_dead_man_url=https://alive.test/1",
    ]


def _load(notebook: Notebook, host: Host) -> None:
    host.state.set_stage(StateStage.Prepare)
    host.state.check_for_changes = False
    ready = [entry.file for entry in runbook.ORDER if entry.status == "ready"]
    with page.included():
        for file in [*ready, "deploys/restore.py", "deploys/maintenance.py"]:
            notebook.doing = file
            runpy.run_path(file)


def _execute(notebook: Notebook, host: Host) -> None:
    run = session.current()
    host.state.is_executing = True  # a gate waits only then
    for op_hash in host.state.ops[host]:
        notebook.doing = "the begin of a run"
        run.start_operation(host.state, host, op_hash)
        notebook.doing = run_stats.title(host.state, op_hash, run.plan)
        # A page that needs an earlier one's effect stops there.
        with patch.object(run, "note_backup", notebook.note_way_back), suppress(OperationError):
            for command in host.state.ops[host][op_hash].command_generator():
                if isinstance(command, StringCommand):
                    notebook.note(command)
        run.stop_operation(succeeded=False)


def _look(notebook: Notebook, host: Host) -> None:
    looks: dict[str, Callable[[Host], object]] = {
        "deploys.drift": drift.look,
        "deploys.drift, the clock": clock.look,
        "deploys.drift, the patches": lambda host: patches.look(host, settings.read(host)),
        "deploys.status": host_status.look,
        "deploys.status, the last day": samples.read,
        "deploys.drift, old packages of the host": patches.of_host,
        "deploys.packages": lambda host: list(packages.look(host)),
        "deploys.checkpoint": partial(checkpoint.take, page="PLAT_01"),
    }
    for notebook.doing, look in looks.items():
        with suppress(Refused):
            look(host)


@contextmanager
def _rendering(notebook: Notebook) -> Iterator[None]:
    """Every template that is read, by itself or inside another one, and every script that is made of one."""
    render, find = jinja2.Template.render, jinja2.FunctionLoader.get_source

    def noted(template: jinja2.Template, **values: object) -> str:
        text = render(template, **values)
        path = Path(str(template.filename))
        where = str(path.relative_to(PROJECT))
        if known := dialect(where, path.read_text(encoding="utf-8")):
            notebook.scripts.setdefault(text, Script(f"{where} as rendered", text, known, is_file=True))
        else:
            for inner in Script(f"{where} as rendered", text).inner():
                notebook.scripts.setdefault(inner.text, inner)
        return text

    def get_source(
        loader: jinja2.FunctionLoader, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        found = find(loader, environment, template)
        notebook.templates.add(str(Path(str(found[1])).relative_to(PROJECT)))
        return found

    with (
        patch.object(jinja2.Template, "render", noted),
        patch.object(jinja2.FunctionLoader, "get_source", get_source),
    ):
        yield
