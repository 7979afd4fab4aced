"""A roll, run against stand-ins for systemd, Podman and curl: the new release whole, or the old one back."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostFiles
from deploys.kit.operations.image import Image
from deploys.kit.quadlet import quadlet
from deploys.kit.quadlet.quadlet import Unit, Units
from deploys.services.leadgen import leadgen, release
from tests.deploys.known_host import RED, KnownHost, Page

OLD, NEW = "leadgen-0-0ld", "leadgen-1-new"
BUILT = Image(f"localhost/motorcade-leadgen:{NEW}", {}, b"")
REFUSES = "{ echo 'motorcade-leadgen-api.container: unsupported key'; false; }"

# Each looks into $WORLD: `clock`, `asked`, `running/<service>` ("<life> <image>"), `bad/<what the new one does>`.
HEAD = """#!/bin/sh
cd $WORLD
echo "${0##*/} $*" >>asked
bad() { case "$image" in *:leadgen-1-new) [ -e bad/$1 ] ;; *) false ;; esac }
of() { read life image 2>/dev/null <running/$1; }
"""
PROGRAMS = {
    "date": "cat clock\n",
    "sleep": "echo $(($(cat clock) + ${1%.*} + 1)) >clock\n",
    "systemctl": """
service=${2#motorcade-leadgen-}
service=${service%.service}
begin() {
    unit=units/motorcade-leadgen-$service.container
    image=$(sed -n 's/^Image=//p' $unit $unit.d/50-release.conf 2>/dev/null | tail -n 1)
    rm -f running/$service
    bad told-to-stop && kill -TERM $(cut -d ' ' -f 4 /proc/$PPID/stat)
    [ ! -e bad/told-on-the-way-back ] || bad restart-worker || kill -TERM $(cut -d ' ' -f 4 /proc/$PPID/stat)
    bad killed && kill -KILL $(cut -d ' ' -f 4 /proc/$PPID/stat)
    ! bad restart-$service || exit 1
    echo "$(wc -l <asked) $image" >running/$service
}
case "$1 $3" in
"show LoadState") echo loaded ;;
"is-active "*)
    service=${3#motorcade-leadgen-}
    [ -e running/${service%.service} ] || exit 3 ;;
"show NRestarts") of api; bad churns && echo 3 || echo 0 ;;
"daemon-reload ")
    # A release that ended by itself is started by systemd, which may be quicker than the script.
    of api; ! bad ends || { service=api; begin; } ;;
"start "*) [ -e running/$service ] || begin ;;
"restart "*) begin ;;
esac
""",
    "flock": """
""",
    "podman": """
case $1 in
exec)
    of sweeper
    bad silent-sweeper || echo ${image##*:} ;;
kill)
    for file in running/*; do
        of ${file#running/}
        case $4 in "$life" | motorcade-leadgen-${file#running/})
            rm $file
            echo ${image##*:} >>killed ;;
        esac
    done ;;
inspect)
    service=${4#motorcade-leadgen-}
    of $service || exit 125
    ! bad gone-$service || exit 125
    ! bad dies-$service || life=$life-$(cat clock)
    echo "$3" | sed "s|{{.Id}}|$life|; s|{{.ImageName}}|$image|; s|{{.Image}}|id-of-${image##*:}|" ;;
esac
""",
    "curl": """
for url; do :; done
of api || exit 7
! bad mute && ! bad ends || exit 7
# The old one's first answer after a start comes too late.
case $life$image in first* | *:leadgen-1-new) ;; *) [ ! -e slow-start ] || { rm slow-start; exit 28; } ;; esac
case $url in
*/lead/health)
    worker=ok redis=ok
    ! bad silent-worker || worker=down
    [ ! -e bad/no-redis ] || worker=unknown redis=down
    printf '{"dependencies": {"redis": "%s", "worker": "%s"}, "release": "%s"}' $redis $worker ${image##*:} ;;
*/lead/ready) ! bad unready || exit 22 ;;
esac
""",
}


@dataclass(frozen=True)
class World:
    """A folder in a host's place, on which the old release runs."""

    root: Path

    def make(self) -> "World":
        for folder in ("programs", "units", "running", "bad", "lib/images", *map(self.log, leadgen.SERVICES)):
            (self.root / folder).mkdir(parents=True)
        for name, text in PROGRAMS.items():
            (self.root / "programs" / name).write_text(HEAD + text)
            (self.root / "programs" / name).chmod(0o755)
        (self.root / "clock").write_text("1000\n")
        (self.root / BUILT.id_file.replace("/var/lib/motorcade", "lib")).write_text(f"id-of-{NEW}\n")
        for service in leadgen.SERVICES:
            (self.root / self.log(service) / "container.log").write_text(f"the {service} said this\n")
            unit = self.root / "units" / f"motorcade-leadgen-{service}.container"
            unit.write_text(f"[Container]\nImage=localhost/motorcade-leadgen:{OLD}\n")
            (self.root / "running" / service).write_text(f"first localhost/motorcade-leadgen:{OLD}\n")
        return self

    @staticmethod
    def log(service: str) -> str:
        return f"log/leadgen-{service}"

    def drop_in(self, service: str) -> Path:
        return self.root / "units" / f"motorcade-leadgen-{service}.container.d" / "50-release.conf"

    def give_drop_ins(self) -> None:
        for service in leadgen.SERVICES:
            self.drop_in(service).parent.mkdir()
            self.drop_in(service).write_text(
                f"# as it was\n[Container]\nImage=localhost/motorcade-leadgen:{OLD}\n"
            )

    def drop_ins(self) -> Mapping[str, str]:
        return {name: file.read_text() for name in leadgen.SERVICES if (file := self.drop_in(name)).exists()}

    def lives(self) -> Mapping[str, str]:
        return {file.name: file.read_text() for file in (self.root / "running").iterdir()}

    def killed(self) -> list[str]:
        """The releases of the containers that were killed, in this order."""
        file = self.root / "killed"
        return file.read_text().split() if file.exists() else []

    def running(self) -> set[str]:
        return {file.read_text().rpartition(":")[2].strip() for file in (self.root / "running").iterdir()}

    def command(self) -> tuple[str, str]:
        """The roll as a page would send it, and its standard input."""
        files = [replace(file, owner=str(os.getuid()), group=str(os.getgid())) for file in release.drop_ins(BUILT)]
        host = KnownHost({HostFiles: {}, Units: Unit((), (), "")}, {"": RED})
        (command,) = host.run(release._roll, page=Page(), built=BUILT, files=files)  # noqa: SLF001 - the operation
        text = command.get_raw_value()
        for place in ("lib", "log"):
            text = text.replace(f"/var/{place}/motorcade", str(self.root / place))
        return text, str(command.connector_arguments["_stdin"])

    def roll(self, **streams: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - as subprocess takes them
        text, stdin = self.command()
        environment = {"PATH": f"{self.root}/programs:/usr/bin:/bin", "WORLD": str(self.root)}
        streams = streams or {"capture_output": True}
        return subprocess.run(
            [self.root / "programs/sh", "-c", text],
            input=stdin,
            env=environment,
            text=True,
            timeout=60,
            check=False,
            **streams,
        )


@pytest.fixture(params=["dash", "bash"])  # what `sh` is on Debian, and on the company's host
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(quadlet, "DIRECTORY", str(tmp_path / "units"))
    monkeypatch.setattr(quadlet, "DRY_RUN", "true")
    monkeypatch.setattr(hostfiles, "STAGING", str(tmp_path / "staging"))
    made = World(tmp_path).make()
    (made.root / "programs/sh").symlink_to(f"/bin/{request.param}")
    return made


@pytest.mark.parametrize("first", [True, False], ids=["the first roll", "a later one"])
def test_a_good_release_is_rolled_to_by_every_service(world: World, *, first: bool) -> None:
    if not first:
        world.give_drop_ins()
    recorded = world.root / BUILT.id_file.replace("/var/lib/motorcade", "lib")
    os.utime(recorded, (0, 0))
    done = world.roll()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert recorded.stat().st_mtime > 0, "the newest roll is what is kept longest"
    assert set(world.drop_ins()) == set(leadgen.SERVICES)
    assert all(text.endswith(f"\nImage={BUILT.tag}\n") for text in world.drop_ins().values())
    assert world.running() == {NEW}
    assert not (world.root / "lib/why").exists()
    assert not (world.root / "staging/PLAT_99/before").exists()


def test_the_api_serves_before_the_others_are_touched_and_the_reload_comes_first(world: World) -> None:
    world.roll()
    asked = (world.root / "asked").read_text().splitlines()
    steps = [
        "systemctl daemon-reload",
        *(f"systemctl restart motorcade-leadgen-{s}.service" for s in leadgen.SERVICES),
    ]
    assert [line for line in asked if line in steps] == steps
    assert "ready" in "".join(asked[asked.index(steps[1]) : asked.index(steps[2])])


BAD = {
    "restart-api": "the API does not start",
    "mute": "the API does not serve",
    "unready": "the API does not serve",
    "restart-worker": "the worker does not start",
    "restart-sweeper": "the sweeper does not start",
    "dies-worker": "the worker does not stay up",
    "gone-worker": "the worker does not stay up",
    "gone-api": "the api does not stay up",
    "silent-worker": "the worker gives no sign of life",
    "silent-sweeper": "the sweeper gives no sign of life",
    "told-to-stop": "stopped half way",
}


@pytest.mark.parametrize("first", [True, False], ids=["no drop-in before", "drop-ins before"])
@pytest.mark.parametrize(("bad", "why"), BAD.items(), ids=BAD)
def test_whatever_goes_wrong_the_release_before_is_back(world: World, bad: str, why: str, *, first: bool) -> None:
    if not first:
        world.give_drop_ins()
    before = world.drop_ins()
    (world.root / "bad" / bad).touch()
    done = world.roll()
    assert (done.returncode, world.drop_ins(), world.running()) == (1, before, {OLD})
    assert done.stdout.splitlines()[0] == f"{NEW}: {why}"
    assert " said this" in done.stdout
    assert (world.root / "lib/why").read_text() == f"{NEW}: {why}; {OLD} is back\n"


def test_a_release_before_that_systemd_has_started_is_left_alone_however_slowly_it_answers(world: World) -> None:
    world.give_drop_ins()
    (world.root / "bad/ends").touch()
    (world.root / "slow-start").touch()
    assert (world.roll().returncode, world.running(), world.killed()) == (1, {OLD}, [])
    asked = (world.root / "asked").read_text().splitlines()
    assert asked.count("systemctl restart motorcade-leadgen-api.service") == 1, "to the new one, and not back"
    assert (world.root / "lib/why").read_text() == f"{NEW}: the API does not serve; {OLD} is back\n"


def test_an_api_that_has_hung_is_killed_and_no_other(world: World) -> None:
    (world.root / "bad/mute").touch()
    assert (world.roll().returncode, world.running(), world.killed()) == (1, {OLD}, [NEW])


@pytest.mark.parametrize("bad", ["unready", "silent-worker", "gone-sweeper"])
def test_an_api_that_answers_may_finish_what_it_has_begun(world: World, bad: str) -> None:
    (world.root / "bad" / bad).touch()
    assert (world.roll().returncode, world.running(), world.killed()) == (1, {OLD}, [])


def test_a_redis_that_is_away_keeps_no_release_back(world: World) -> None:
    (world.root / "bad/no-redis").touch()
    assert (world.roll().returncode, world.running()) == (0, {NEW})


def test_refused_units_never_reach_their_places(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quadlet, "DRY_RUN", REFUSES)
    world.give_drop_ins()
    before, lives = world.drop_ins(), world.lives()
    done = world.roll()
    assert (done.returncode, world.drop_ins(), world.lives()) == (1, before, lives), "nothing was stopped"
    assert "unsupported key" in done.stdout
    assert (world.root / "lib/why").read_text() == f"{NEW}: the units are refused; {OLD} is back\n"


def test_an_image_that_is_not_the_one_recorded_at_its_build_goes_back(world: World) -> None:
    (world.root / BUILT.id_file.replace("/var/lib/motorcade", "lib")).write_text("id-of-another\n")
    assert (world.roll().returncode, world.drop_ins(), world.running()) == (1, {}, {OLD})


@pytest.mark.parametrize("first", [True, False], ids=["no drop-in before", "drop-ins before"])
def test_a_roll_that_was_killed_does_not_make_the_next_one_forget_where_it_began(
    world: World, *, first: bool
) -> None:
    if not first:
        world.give_drop_ins()
    before = world.drop_ins()
    (world.root / "bad" / "killed").touch()
    assert world.roll().returncode != 0
    assert world.drop_ins() != before
    (world.root / "bad" / "killed").rename(world.root / "bad" / "restart-worker")
    assert (world.roll().returncode, world.drop_ins(), world.running()) == (1, before, {OLD})
    assert (world.root / "lib/why").read_text() == f"{NEW}: the worker does not start; {OLD} is back\n"
    (world.root / "bad" / "restart-worker").unlink()
    assert (world.roll().returncode, world.running()) == (0, {NEW})


def test_what_a_killed_roll_kept_is_forgotten_once_the_page_has_passed(world: World) -> None:
    (world.root / "bad" / "killed").touch()
    world.roll()
    step = world.root / "lib/steps/PLAT_99.json"
    step.parent.mkdir()
    step.touch()
    os.utime(step, (2**31, 2**31))
    left = world.drop_ins()
    assert left != {}
    (world.root / "bad" / "killed").rename(world.root / "bad" / "restart-worker")
    assert (world.roll().returncode, world.drop_ins()) == (1, left)


@pytest.mark.parametrize(("bad", "least", "most"), [(["mute"], 20, 30), (["mute", "churns"], 0, 10)])
def test_callers_wait_for_a_gate_and_less_where_there_is_no_hope(
    world: World, bad: list[str], least: int, most: int
) -> None:
    for each in bad:
        (world.root / "bad" / each).touch()
    world.roll()
    assert least <= int((world.root / "clock").read_text()) - 1000 <= most


def test_a_service_without_a_log_keeps_nobody_from_going_back(world: World) -> None:
    world.give_drop_ins()
    before = world.drop_ins()
    (world.root / world.log("worker") / "container.log").unlink()
    (world.root / "bad" / "restart-worker").touch()
    assert (world.roll().returncode, world.drop_ins(), world.running()) == (1, before, {OLD})


def test_a_signal_on_the_way_back_is_not_heard(world: World) -> None:
    (world.root / "bad" / "restart-api").touch()
    (world.root / "bad" / "restart-worker").touch()
    (world.root / "bad" / "told-on-the-way-back").touch()
    assert (world.roll().returncode, world.drop_ins(), world.running()) == (1, {}, {OLD})
    assert (world.root / "lib/why").read_text() == f"{NEW}: the API does not start; {OLD} is back\n"


def test_an_operator_who_is_gone_keeps_nobody_from_going_back(world: World) -> None:
    world.give_drop_ins()
    before = world.drop_ins()
    (world.root / "bad" / "mute").touch()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = world.roll(stdout=writer, stderr=writer)
    finally:
        os.close(writer)
    assert (done.returncode, world.drop_ins(), world.running()) == (1, before, {OLD})
    assert (world.root / "lib/why").read_text().endswith(f"{OLD} is back\n")


def test_an_old_release_that_does_not_serve_either_is_told_as_it_is(world: World) -> None:
    (world.root / "bad" / "restart-api").touch()
    (world.root / "running/api").unlink()
    done = world.roll()
    assert (done.returncode, world.drop_ins(), world.running()) == (1, {}, {OLD})
    assert (world.root / "lib/why").read_text() == f"{NEW}: the API does not start; nothing served before\n"
