"""Releases: which shall run, whether there is a way back, when a roll has nothing to do, and what is kept."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.context import ctx_host

from deploys.kit.errors import Refused
from deploys.kit.facts import Answer, Probe, digest
from deploys.kit.operations import image
from deploys.kit.operations.hostfiles import Found, HostFile, HostFiles
from deploys.kit.operations.image import IDS, Image
from deploys.kit.quadlet import quadlet
from deploys.kit.quadlet.quadlet import Unit, Units
from deploys.services.leadgen import release
from tests.deploys.known_host import GREEN, RED, KnownHost, Page

ENDING = "leadgen/store/migrations/0002_post_b.sql"
CONTEXT = image.pack(
    {
        "leadgen/store/migrations/0001_pre_a.sql": (b"-- version: 20260126_01_a\n", False),
        ENDING: (b"-- version: 20260126_02_b\n", False),
    }
)
BUILT = Image("localhost/motorcade-leadgen:leadgen-2-abc", {}, CONTEXT)
FRESH = Unit(("Image=x",), ("Image=x",), "loaded")
RUNS = "was recorded"
PIN = "localhost/motorcade-leadgen:pin-0"
# What is asked of podman while images are counted: $FOLDER/<id> says `runs` or nothing.
PODMAN = """#!/bin/sh
case "$1" in
ps) for id; do :; done; grep runs $FOLDER/${id#ancestor=} ;;
image) for id; do :; done; [ -e $FOLDER/$id ] && echo localhost/motorcade-leadgen:$id ;;
esac
"""


def ref(**data: str) -> str:
    page: Any = Page(data=data, environment="prod")
    return release.ref(page)


def test_the_pin_runs_unless_data_names_another() -> None:
    assert ref() == "leadgen-1"
    assert ref(leadgen_git_ref="leadgen-0") == "leadgen-0"


@pytest.mark.parametrize("given", ["", "v1+build", "HEAD", "a;reboot", "worktree"])
def test_what_is_no_tag_is_refused(given: str) -> None:
    with pytest.raises(Refused, match=r"--data leadgen_git_ref: '.*' is not a tag; use one of `git tag --list`"):
        ref(leadgen_git_ref=given)


@pytest.mark.parametrize(
    ("named", "notes"),
    [
        (
            Answer(0, ["localhost/motorcade-leadgen:leadgen-1-xyz"]),
            [{"from": "leadgen-1-xyz", "to": "leadgen-2-abc"}],
        ),
        (Answer(1, []), [{"from": "the image of its unit", "to": "leadgen-2-abc"}]),
        (Answer(0, [BUILT.tag]), []),
    ],
    ids=["another", "none", "the same"],
)
def test_a_change_of_release_is_put_on_record_and_no_change_is_not(
    named: Answer, notes: list[dict[str, str]]
) -> None:
    page: Any = Page()
    with ctx_host.use(KnownHost(probes={"Image=": named})):
        release.announce(page, BUILT, "leadgen-2")
    assert page.notes == [("PLAT_99", note) for note in notes]


def may_follow(there: list[str], running: Answer, **data: str) -> KnownHost:
    checksums = {"a": digest("-- version: 20260126_01_a\n"), "b": digest("-- version: 20260126_02_b\n")}
    lines = [f"{version} {checksums[version[-1]]}" for version in there]
    probes = {"app.schema_migrations": Answer(0, lines), "migrate --list": running}
    host = KnownHost(probes=probes)
    assert host.run(release._may_follow, page=Page(data=data), built=BUILT) == []  # noqa: SLF001 - the operation
    return host


def test_a_release_with_nothing_new_may_follow_and_the_running_one_is_not_asked() -> None:
    assert may_follow(["20260126_01_a", "20260126_02_b"], RED).noops


def test_a_migration_on_which_the_running_release_works_is_no_obstacle() -> None:
    assert may_follow(["20260126_02_b"], RED).noops


def test_a_migration_that_ends_the_running_release_is_refused_with_the_way_round() -> None:
    with pytest.raises(
        OperationError, match=r"leadgen-2-abc ships 20260126_02_b, which may break the running release"
    ):
        may_follow(["20260126_01_a"], Answer(0, ["pre 20260126_01_a"]))
    with pytest.raises(OperationError, match=r"no way back; first roll to a release that needs nothing"):
        may_follow([], Answer(125, ["no such container"]))


def test_it_may_follow_with_the_operators_word_for_that_very_migration() -> None:
    assert may_follow([], RED, leadgen_post="20260126_02_b").noops
    with pytest.raises(OperationError, match="ships 20260126_02_b"):
        may_follow([], RED, leadgen_post="20260126_01_a")


def test_it_may_follow_a_release_that_ships_that_migration_too() -> None:
    assert may_follow(["20260126_01_a"], Answer(0, ["pre 20260126_01_a", "post 20260126_02_b"])).noops


def as_wanted(files: list[HostFile]) -> dict[str, Found]:
    return {file.path: Found(digest(file.content), "644", "root", "root", "0", "0") for file in files}


def roll(found: dict[str, Found], unit: Unit, runs: Answer, *, locked: bool = False) -> list[StringCommand]:
    host = KnownHost({HostFiles: found, Units: unit}, {RUNS: runs})
    return host.run(release._roll, page=Page(locked=locked), built=BUILT, files=release.drop_ins(BUILT))  # noqa: SLF001 - the same


def test_a_release_that_runs_is_not_rolled_to() -> None:
    assert roll(as_wanted(release.drop_ins(BUILT)), FRESH, GREEN, locked=True) == []


@pytest.mark.parametrize("differs", ["a drop-in", "what systemd has loaded", "what runs"])
def test_a_roll_happens_as_soon_as_one_thing_differs(differs: str) -> None:
    files = as_wanted(release.drop_ins(BUILT))
    if differs == "a drop-in":
        files.popitem()
    unit = Unit(("Image=x",), (), "loaded") if differs == "what systemd has loaded" else FRESH
    runs = RED if differs == "what runs" else GREEN
    (command,) = roll(files, unit, runs)
    assert command.get_raw_value().startswith(f"timeout {release.ROLL_SECONDS} sh -euc ")
    with pytest.raises(PermissionError, match="leadgen-2-abc as the release"):
        roll(files, unit, runs, locked=True)


def test_the_drop_ins_name_the_image_and_nothing_that_another_page_owns() -> None:
    files = release.drop_ins(BUILT)
    assert [file.path for file in files] == [
        f"{quadlet.DIRECTORY}/motorcade-leadgen-{service}.container.d/50-release.conf"
        for service in ("api", "worker", "sweeper")
    ]
    assert {file.content.partition("[Container]")[2] for file in files} == {f"\nImage={BUILT.tag}\n"}


@pytest.mark.parametrize("found", [["id-2"] * 3, ["id-2", "id-1", "id-2"], ["id-2", "", "id-2"]])
def test_every_service_has_to_run_what_was_recorded(tmp_path: Path, found: list[str]) -> None:
    (tmp_path / "podman").write_text(
        "#!/bin/sh\ncase $4 in\n"
        + "".join(
            f"*-{name}) echo {each} ;;\n" for name, each in zip(["api", "worker", "sweeper"], found, strict=True)
        )
        + "esac\n"
    )
    (tmp_path / "podman").chmod(0o755)
    (tmp_path / "id").write_text("id-2\n")
    probe = release.runs(BUILT).replace(BUILT.id_file, str(tmp_path / "id"))
    done = subprocess.run(
        ["sh", "-c", probe], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, text=True, capture_output=True, check=False
    )
    assert (done.returncode == 0) == (set(found) == {"id-2"})
    if done.returncode:
        assert done.stdout.startswith("motorcade-leadgen-worker runs ")


def too_many(folder: Path) -> list[str]:
    """What a host says that has the images of this folder: <id> for each, and ids/motorcade-leadgen-<id>.id."""
    (folder / "podman").write_text(PODMAN)
    (folder / "podman").chmod(0o755)
    command = Probe().command(release._EXTRA.replace(IDS, str(folder / "ids")))  # noqa: SLF001 - what _prune asks
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "FOLDER": str(folder)}
    done = subprocess.run(
        ["sh", "-c", command.get_raw_value()], env=environment, text=True, capture_output=True, check=True
    )
    return Probe().process(done.stdout.splitlines()).lines


def test_five_images_are_kept_by_their_last_roll_and_whatever_runs(tmp_path: Path) -> None:
    (tmp_path / "ids").mkdir()
    for age, name in enumerate("abcdefgh"):
        (tmp_path / name).write_text("runs\n" if name == "g" else "")
        file = tmp_path / "ids" / f"motorcade-leadgen-{name}.id"
        file.write_text(f"{name}\n")
        os.utime(file, (1000 - age, 1000 - age))
    extra = ["localhost/motorcade-leadgen:f", "localhost/motorcade-leadgen:h"]
    assert too_many(tmp_path) == extra
    host = KnownHost(probes={"ls -t": Answer(0, [*extra, PIN]), "dangling": RED})
    commands = host.run(release._prune, page=Page(), pin=PIN)  # noqa: SLF001 - the operation
    assert [command.get_raw_value() for command in commands] == [
        f"timeout 60 podman image rm {tag} && rm -f {IDS}/motorcade-leadgen-{tag[-1]}.id" for tag in extra
    ]


def test_a_host_without_an_image_has_none_too_many(tmp_path: Path) -> None:
    assert too_many(tmp_path) == []
    (tmp_path / "ids").mkdir()
    assert too_many(tmp_path) == []
    host = KnownHost(probes={"ls -t": GREEN, "dangling": RED})
    assert host.run(release._prune, page=Page(locked=True), pin=PIN) == []  # noqa: SLF001 - the same


def test_what_many_builds_have_left_goes_too() -> None:
    host = KnownHost(probes={"ls -t": GREEN, "dangling": GREEN})
    (command,) = host.run(release._prune, page=Page(), pin=PIN)  # noqa: SLF001 - the same
    assert "podman image prune --force" in command.get_raw_value()
