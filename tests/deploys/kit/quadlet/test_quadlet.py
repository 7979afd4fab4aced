"""Units are proved before they are moved, loaded after it, and a container is restarted only when it must be."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.context import ctx_host

from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import Found, HostFile, HostFiles
from deploys.kit.quadlet import quadlet
from deploys.kit.quadlet.quadlet import Service, Services, Unit, Units

ID = "0123456789abcdef" * 4
OTHER_ID = "fedcba9876543210" * 4
FRESH = Unit(
    ("[X-Container]", "Label=motorcade.config=one"), ("[X-Container]", "Label=motorcade.config=one"), "loaded"
)
RUNNING = Service(
    FRESH, active=True, labels={"motorcade.config": "one"}, image=ID, wanted_image=ID, pinned_image=ID
)
NETWORK = HostFile("/etc/containers/systemd/motorcade-core.network", "[Network]\nInternal=true\n")
PACKAGED = "/usr/lib/systemd/system-generators/podman-system-generator"
GENERATOR = next(
    (path for path in (os.environ.get("QUADLET_GENERATOR", ""), PACKAGED) if path and Path(path).exists()), None
)


class KnownHost:
    """A host of which everything that is asked for is known."""

    def __init__(self, facts: Mapping[type[FactBase[Any]], object]) -> None:
        self.facts = facts
        self.asked: list[dict[str, object]] = []
        self.noops: list[str] = []

    def get_fact(self, fact: type[FactBase[Any]], **values: object) -> object:
        self.asked.append(values)
        return self.facts[fact]

    def noop(self, why: str) -> None:
        self.noops.append(why)


class Page:
    """What these verbs use of a page."""

    id = "PLAT_99"

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked

    def may_change(self, what: str) -> None:
        if self.locked:
            raise PermissionError(what)


def as_wanted(*files: HostFile) -> dict[str, Found]:
    return {file.path: Found(digest(file.content), "644", "root", "root", "0", "0") for file in files}


def install(found: Mapping[str, Found], unit: Unit, *files: HostFile, locked: bool = False) -> list[StringCommand]:
    page: Any = Page(locked=locked)
    with ctx_host.use(KnownHost({HostFiles: found, Units: unit})):
        return list(quadlet._install._inner(page, list(files), ["motorcade-core-network.service"]))  # noqa: SLF001 - under test


def run(service: Service, image: str = "", *, locked: bool = False) -> list[str]:
    page: Any = Page(locked=locked)
    with ctx_host.use(KnownHost({Services: service})):
        commands = quadlet._running._inner(page, "motorcade-redis", image, "", 300)  # noqa: SLF001 - under test
        return [command.get_raw_value() for command in commands]


def test_units_as_they_shall_be_are_left_alone() -> None:
    assert install(as_wanted(NETWORK), FRESH, NETWORK, locked=True) == []


@pytest.mark.parametrize(
    "unit",
    [
        replace(FRESH, loaded=()),
        replace(FRESH, loaded=("[X-Container]", "Label=motorcade.config=old")),
        replace(FRESH, load_state="not-found"),
        Unit((), (), ""),
    ],
    ids=["killed before the reload", "drop-in not seen", "not loaded", "no generator"],
)
def test_right_files_that_systemd_has_not_loaded_are_loaded_and_not_sent_again(unit: Unit) -> None:
    (command,) = install(as_wanted(NETWORK), unit, NETWORK)
    assert "systemctl daemon-reload" in command.get_raw_value()
    assert "base64" not in command.get_raw_value()


def test_a_locked_page_installs_nothing() -> None:
    with pytest.raises(PermissionError, match=r"motorcade-core\.network"):
        install({}, FRESH, NETWORK, locked=True)


def test_a_unit_that_breaks_a_rule_is_refused_at_load_with_every_fault() -> None:
    page: Any = Page()
    bad = HostFile("/etc/containers/systemd/a.network", "[Network]\nMemory=1\nPublishPort=80:80\n")
    with pytest.raises(Refused) as refused:
        quadlet.install(page, "motorcade-a", [bad])
    assert str(refused.value).startswith("units of motorcade-a: a.network: [Network] Memory=")
    assert "PublishPort=" in str(refused.value)


def test_a_container_that_runs_as_it_shall_is_left_alone() -> None:
    assert run(RUNNING, locked=True) == []
    assert run(RUNNING, "localhost/motorcade-redis:8-0123456789ab", locked=True) == []


@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"labels": {"motorcade.config": "old"}},
        {"labels": {}},
        {"labels": {"motorcade.config": "one", "motorcade.config.LEADGEN_04": "gone"}},
        {"image": OTHER_ID},
        {"image": "", "wanted_image": ""},
        {"newer": ("/etc/motorcade/redis/redis.conf",)},
    ],
    ids=["stopped", "old configuration", "no label", "a drop-in that is gone", "old image", "no image", "older"],
)
def test_a_container_that_differs_is_restarted_within_a_bound(change: dict[str, Any]) -> None:
    (command,) = run(replace(RUNNING, **change))
    assert "timeout 300 systemctl restart motorcade-redis.service" in command
    assert command.index("reset-failed") < command.index("systemctl restart")
    assert "enable" not in command


def test_a_unit_that_was_not_loaded_is_loaded_and_its_container_goes_on() -> None:
    stale = replace(RUNNING, unit=replace(FRESH, loaded=("[X-Container]", "[Install]")))
    (command,) = run(stale)
    assert "daemon-reload" in command
    assert "restart" not in command


def test_the_pin_is_asked_for_only_where_the_page_names_it() -> None:
    other = replace(RUNNING, image=OTHER_ID, wanted_image=OTHER_ID)
    assert run(other) == []
    (command,) = run(other, "localhost/motorcade-redis:8-0123456789ab")
    assert command.index("its unit does not name") < command.index("systemctl restart")


def test_a_locked_page_restarts_nothing_and_says_why() -> None:
    with pytest.raises(PermissionError, match=r"motorcade-redis \(another configuration, another image\)"):
        run(replace(RUNNING, labels={}, image=OTHER_ID), locked=True)


def test_the_labels_of_a_unit_are_those_of_all_its_files() -> None:
    lines = ("Label=motorcade.config=one", "Label=owner=me", "Label=motorcade.config.LEADGEN_04=two")
    assert Unit(lines, (), "").labels() == {"motorcade.config": "one", "motorcade.config.LEADGEN_04": "two"}


def test_the_answer_of_a_host_is_read_as_one_service() -> None:
    output = [
        *("== wanted", "# a comment", "[X-Container]", "Label=motorcade.config=one", ""),
        *("== loaded", "# Automatically generated", "", "[X-Container]", "Label=motorcade.config=one", ""),
        *("== state", "loaded", "== active", "active", "== container"),
        f'{ID} {{"motorcade.config":"one","motorcade.version":"8"}}',
        *("== image", ID, "== pin", ID),
    ]
    assert Services().process(output) == RUNNING
    assert Units().process(output[:13]) == FRESH
    assert RUNNING.faults(pinned=True) == []


def test_the_order_of_the_generators_options_is_no_difference_but_the_order_of_what_was_asked_for_is() -> None:
    first = ["== wanted", "ExecStart=podman run --pull never --read-only x"]
    second = ["== loaded", "ExecStart=podman run --read-only --pull never x"]
    assert Units().process([*first, *second, "== state", "loaded"]).fresh
    asked = ["== wanted", "Exec=a b", "== loaded", "Exec=b a", "== state", "loaded"]
    assert not Units().process(asked).fresh


def test_a_bare_host_answers_too_and_nothing_is_as_it_shall_be() -> None:
    done = subprocess.run(
        ["sh", "-c", Services().command(unit="motorcade-none", image="x").get_raw_value()],
        env={"PATH": "/usr/bin:/bin"},
        text=True,
        capture_output=True,
        check=True,
    )
    service = Services().process(done.stdout.splitlines())
    assert not service.unit.fresh
    assert service.faults(pinned=True)


def test_the_hash_covers_content_and_mode_and_no_order() -> None:
    one, two = HostFile("/etc/a", "1"), HostFile("/etc/b", "2")
    assert quadlet.config_label([one, two]) == quadlet.config_label([two, one])
    others = [[one], [one, replace(two, content="3")], [one, replace(two, mode="600")]]
    assert len({quadlet.config_label(files) for files in [[one, two], *others]}) == 4


def test_the_hash_covers_no_comment() -> None:
    one = HostFile("/etc/a.container", "# a\n[Unit]\n")
    assert quadlet.config_label([one]) == quadlet.config_label([replace(one, content="[Unit]\n# b\n")])
    assert quadlet.config_label([one]) != quadlet.config_label([replace(one, content="# a\n[Install]\n")])


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the service x."""
    monkeypatch.setattr(hostfiles, "REPOSITORY", tmp_path)
    folder = tmp_path / "deploys/services/x/templates"
    folder.mkdir(parents=True)
    return folder


def test_a_unit_carries_the_hash_over_itself_and_what_its_program_reads(
    templates: Path,
) -> None:
    (templates / "a.container").write_text("[Container]\nLabel=motorcade.config={{ config }}\nTmpfs=/{{ tmp }}\n")
    reads = HostFile("/etc/a.conf", "1")
    unit = quadlet.unit("x/a.container", [reads], tmp="x")
    assert unit == quadlet.unit("x/a.container", [reads], tmp="x")
    texts = {
        unit.content,
        quadlet.unit("x/a.container", [reads], tmp="y").content,
        quadlet.unit("x/a.container", [replace(reads, content="2")], tmp="x").content,
    }
    assert len({text.splitlines()[1] for text in texts}) == 3
    assert (unit.path, len(unit.content.splitlines()[1])) == ("/etc/containers/systemd/a.container", 6 + 17 + 64)


def test_another_image_is_another_text_with_the_same_hash(templates: Path) -> None:
    (templates / "a.container").write_text("[Container]\nLabel=motorcade.config={{ config }}\nImage={{ image }}\n")
    one, two = (quadlet.unit("x/a.container", image=tag).content.splitlines() for tag in ("x:1", "x:2"))
    assert (one[:2], one[2], two[2]) == (two[:2], "Image=x:1", "Image=x:2")


def test_a_drop_in_lies_with_the_unit_that_it_adds_to(templates: Path) -> None:
    (templates / "20-more.conf").write_text("[Container]\nLabel=motorcade.config.P={{ config }}\n")
    assert (
        quadlet.unit("x/20-more.conf", into="a.container").path
        == "/etc/containers/systemd/a.container.d/20-more.conf"
    )


class Target:
    """A folder in a host's place: the real generator, and a systemctl that only notes what it was asked."""

    def __init__(self, root: Path) -> None:
        self.units = root / "units"
        self.units.mkdir()
        self.asked = root / "asked"
        self.asked.touch()
        self.programs = root / "programs"
        self.programs.mkdir()
        (self.programs / "systemctl").write_text(f'#!/bin/sh\necho "$*" >> {self.asked}\necho loaded\n')
        (self.programs / "systemctl").chmod(0o755)

    def file(self, name: str, content: str) -> HostFile:
        return HostFile(f"{self.units}/{name}", content, "644", str(os.getuid()), str(os.getgid()))

    def install(self, *files: HostFile) -> subprocess.CompletedProcess[str]:
        command = quadlet.install_command("PLAT_99", files, ["x.service"])
        environment = {"PATH": f"{self.programs}:/usr/bin:/bin"}
        stdin = str(command.connector_arguments["_stdin"])
        line = ["sh", "-c", command.get_raw_value()]
        return subprocess.run(line, input=stdin, env=environment, text=True, capture_output=True, check=False)

    def lies(self) -> dict[str, str]:
        files = (path for path in self.units.rglob("*") if path.is_file())
        return {str(path.relative_to(self.units)): path.read_text() for path in files}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    if GENERATOR is None:
        pytest.skip("no podman-system-generator on this machine")
    found = Target(tmp_path)
    monkeypatch.setattr(hostfiles, "STAGING", str(tmp_path / "staging"))
    monkeypatch.setattr(quadlet, "DIRECTORY", str(found.units))
    monkeypatch.setattr(quadlet, "DRY_RUN", quadlet.DRY_RUN.replace(PACKAGED, GENERATOR))
    yield found
    staged = tmp_path / "staging" / "PLAT_99"
    assert not staged.exists() or not any(staged.iterdir())


def test_accepted_units_are_moved_then_loaded_then_looked_at(target: Target) -> None:
    done = target.install(
        target.file("x.container", "[Container]\nImage=localhost/x:1\nNetwork=y.network\n"),
        target.file("x.container.d/20-boot.conf", "[Install]\nWantedBy=motorcade.target\n"),
        target.file("y.network", "[Network]\nInternal=true\n"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(target.lies()) == {"x.container", "x.container.d/20-boot.conf", "y.network"}
    assert target.asked.read_text().splitlines() == ["daemon-reload", "show -P LoadState x.service"]


@pytest.mark.parametrize(
    "content",
    [
        "[Container]\nImage=localhost/x:1\nMemory=1G\n",
        "[Container]\nImage=localhost/x:1\nNetwork=absent.network\n",
        "[Container]\nTmpfs=/x\n",
    ],
    ids=["unknown key", "missing network", "no image"],
)
def test_refused_units_leave_the_old_ones_and_systemd_alone(target: Target, content: str) -> None:
    (target.units / "x.container").write_text("[Container]\nImage=localhost/x:0\n")
    before = target.lies()
    done = target.install(target.file("x.container", content))
    assert done.returncode != 0
    assert "x.container" in done.stdout
    assert target.lies() == before
    assert target.asked.read_text() == ""


def test_what_earlier_pages_left_on_the_host_is_part_of_the_proof(target: Target) -> None:
    (target.units / "y.network").write_text("[Network]\nInternal=true\n")
    assert (
        target.install(
            target.file("x.container", "[Container]\nImage=localhost/x:1\nNetwork=y.network\n")
        ).returncode
        == 0
    )
    (target.units / "x.container.d").mkdir()
    (target.units / "x.container.d" / "20-bad.conf").write_text("[Container]\nMemory=1G\n")
    done = target.install(target.file("x.container", "[Container]\nImage=localhost/x:2\nNetwork=y.network\n"))
    assert done.returncode != 0
    assert "Memory" in done.stdout


def test_a_later_pages_drop_in_stays(target: Target) -> None:
    (target.units / "x.container.d").mkdir()
    (target.units / "x.container.d" / "20-boot.conf").write_text("[Install]\nWantedBy=motorcade.target\n")
    assert target.install(target.file("x.container", "[Container]\nImage=localhost/x:1\n")).returncode == 0
    assert target.lies()["x.container.d/20-boot.conf"] == "[Install]\nWantedBy=motorcade.target\n"


def test_a_fault_in_another_services_unit_is_not_this_pages(target: Target) -> None:
    (target.units / "other.container").write_text("[Container]\nMemory=1G\n")
    assert target.install(target.file("x.container", "[Container]\nImage=localhost/x:1\n")).returncode == 0


def test_a_host_without_a_generator_says_which_page_to_run(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = quadlet.DRY_RUN.replace(f"{GENERATOR}", "/absent").replace("/usr/local/lib", "/absent")
    monkeypatch.setattr(quadlet, "DRY_RUN", absent)
    done = target.install(target.file("x.container", "[Container]\nImage=localhost/x:1\n"))
    assert (done.returncode, target.lies()) == (1, {})
    assert "run deploys/plat_01.py first" in done.stdout
