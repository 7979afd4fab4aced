"""A run from its first operation to its end: pyinfra itself on this machine, with pages made for the test."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploys.kit.facts import digest
from deploys.kit.run import record
from deploys.kit.run.run_stats import SLOW_SECONDS
from tests import made_up_pins

REPOSITORY = Path(record.__file__).parents[3]
BOUND_SECONDS = 30.0
PYINFRA = "import sys; from pyinfra_cli.main import main; sys.argv[0] = 'pyinfra'; main()"

HEAD = """
import session_on_trial
from pyinfra.api.operation import operation
from pyinfra.api.exceptions import OperationError
from pyinfra.operations import files, server
from pyinfra import host, local

run = session_on_trial.current()
"""

PAGES = {
    "calm": "run.enter('PLAT_01', None)\nfiles.directory(name='PLAT_01 | a folder', path='made')",
    "slow": """
run.enter('PLAT_02B', {'unlock': 'PLAT_02B', 'reason': 'a trial'})
run.note_backup('/srv/x.tar', 'sudo tar -xf /srv/x.tar -C /')
server.shell(name='PLAT_02B | sleeps', commands=[
    'touch begun; for i in $(seq 300); do [ -e go ] && break; sleep 0.1; done; touch slept'])
server.shell(name='PLAT_02B | goes on', commands=['touch gone-on'])""",
    "failing": "run.enter('PLAT_03', None)\nserver.shell(name='PLAT_03 | fails', commands=['false'])",
    "raising": """
run.enter('PLAT_02C', None)
@operation()
def refuse():
    yield 'true' if not host.state.is_executing else fail()
def fail():
    raise OperationError('PLAT_02C: not now; later')
refuse(name='PLAT_02C | is refused')""",
    "telling": """
run.enter('LEADGEN_02', None)
run.note('LEADGEN_02', {'from': 'v1', 'to': 'v2'})
run.note('LEADGEN_02', {'why': 'a trial'})
server.shell(name='LEADGEN_02 | fails', commands=['echo the gate was red > state/why; false'])""",
    "listing": """
run.enter('PLAT_02B', None)
run.note_sum('/etc/hostname-that-is-not-there')
from pathlib import Path
run.note_sum(str(Path('list').absolute()))
server.shell(name='PLAT_02B | lists', commands=['echo a package >list'])""",
    "whole": "local.include('failing.py')",
}

TRIAL = """
from pathlib import Path
from deploys.kit.run import session
session.DIRECTORY = str(Path('state').absolute())
current = session.current
"""


@dataclass(frozen=True)
class Place:
    """A folder that stands for the repository, this machine that stands for the host, and runs on them."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, inventory: str = "lab.py") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PYINFRA, "-y", inventory, *words]
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{self.folder}", "PYINFRA_PROGRESS": "off"}
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.started.append(process)
        return process

    def run(self, *words: str, inventory: str = "lab.py") -> tuple[int, str]:
        """The exit status and what was printed."""
        process = self.start(*words, inventory=inventory)
        output, _ = process.communicate(timeout=BOUND_SECONDS)
        return process.returncode, output

    def wait_for(self, name: str) -> None:
        end = time.monotonic() + BOUND_SECONDS
        while not self.has(name):
            assert time.monotonic() < end, f"{name} never appeared"
            time.sleep(0.02)

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def let_go(self) -> None:
        """The step of the page `slow` ends."""
        (self.folder / "go").touch()

    def lines(self) -> list[bytes]:
        path = self.folder / "state/record.jsonl"
        return path.read_bytes().splitlines(keepends=True) if path.exists() else []

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events()]

    def page(self) -> str:
        return "".join(path.read_text() for path in (self.folder / "deployments").glob("*.md"))

    def assert_consistent(self) -> None:
        """Nobody holds the lock, the chain is whole, and the log of deploys quotes what is there."""
        assert not self.has("state/lock")
        assert record.verify(self.lines()) == []
        assert record.unlike(self.lines(), self.page()) == []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    shutil.copytree(REPOSITORY / "group_data", tmp_path / "group_data", ignore=shutil.ignore_patterns("secrets"))
    manifest = made_up_pins.fill(yaml.safe_load((REPOSITORY / "releases/lab.yaml").read_text()))
    (tmp_path / "release.yaml").write_text(yaml.safe_dump({**manifest, "release": "lab-trial"}))
    (tmp_path / "session_on_trial.py").write_text(TRIAL)
    data = {"_sudo": False, "release_file": "release.yaml", "deployments_directory": "deployments"}
    (tmp_path / "lab.py").write_text(f"hosts = [('@local', {data!r})]\n")
    for name, text in PAGES.items():
        (tmp_path / f"{name}.py").write_text(HEAD + text + "\n")
    found = Place(tmp_path)
    yield found
    for process in found.started:
        process.kill()
        with process:
            pass


def test_a_run_is_on_record_and_one_that_changes_nothing_adds_one_line_to_the_log(place: Place) -> None:
    code, output = place.run("calm.py")
    assert (code, "1 of 1 operations changed something" in output) == (0, True)
    before = place.page()
    assert place.run("calm.py")[0] == 0
    assert place.kinds() == ["STARTED", "OK", "STARTED", "OK"]
    assert [event.get("changed") for event in place.events()] == [None, 1, None, 0]
    assert [event["release"] for event in place.events()] == ["lab-trial"] * 4
    added = place.page().removeprefix(before).strip()
    assert "\n" not in added
    assert "nothing to change: PLAT_01" in added
    place.assert_consistent()


def test_several_pages_are_one_run_with_figures_for_each(place: Place) -> None:
    process = place.start("calm.py", "slow.py")
    place.wait_for("begun")
    time.sleep(SLOW_SECONDS)
    place.let_go()
    process.communicate(timeout=BOUND_SECONDS)
    end = place.events()[1]
    assert end["changed_by_page"] == {"PLAT_01": 1, "PLAT_02B": 2}
    assert list(end["slow"]) == ["PLAT_02B | sleeps"]
    assert end["notes"] == {"PLAT_02B": {"unlock": "PLAT_02B", "reason": "a trial"}}
    assert "to go back: `sudo tar -xf /srv/x.tar -C /`" in place.page()
    place.assert_consistent()


@pytest.mark.parametrize(
    ("page", "failed"),
    [("failing", "PLAT_03 | fails"), ("raising", "PLAT_02C | is refused"), ("whole", "PLAT_03 | fails")],
)
def test_a_failed_operation_is_named_and_its_page_is_red(place: Place, page: str, failed: str) -> None:
    code, output = place.run("calm.py", f"{page}.py")
    assert (code, "Traceback" in output) == (1, False)
    end = place.events()[-1]
    assert (end["event"], end["failed"], end["failed_operation"]) == ("FAILED", 1, failed)
    assert [path.name for path in (place.folder / "state/steps").iterdir()] == [
        f"{failed.partition(' | ')[0]}.red"
    ]
    assert json.loads(next((place.folder / "state/steps").iterdir()).read_text())["run"] == end["run"]
    place.assert_consistent()


@pytest.mark.parametrize(
    "words",
    [
        ["calm.py", "--dry"],
        ["calm.py", "--no-wait"],
        ["calm.py", "--serial"],
        ["calm.py", "--data", "acknowledge=12"],
        ["calm.py", "--data", "acknowledge=true"],
        ["calm.py", "--data", "acknowledge=../steps"],
        ["calm.py", "--data", "release_file=missing.yaml"],
        ["calm.py", "--data", "leadgen_gitref=a-1"],
        ["calm.py", "--data", "deployments_directory=lab.py/inside"],
    ],
)
def test_a_dry_run_and_a_refused_one_touch_nothing(place: Place, words: list[str]) -> None:
    code, output = place.run(*words)
    assert code == (0 if "--dry" in words else 1)
    assert "Traceback" not in output
    assert not place.has("made")
    assert not place.has("state")
    assert not place.has("deployments")


def test_several_hosts_at_once_are_refused(place: Place) -> None:
    (place.folder / "two.py").write_text("hosts = ['@local', '@fake/two']\n")
    code, output = place.run("calm.py", inventory="two.py")
    assert code == 1
    assert "a run takes one host, not @fake/two, @local; choose one with --limit" in output


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_a_signal_lets_the_running_step_end_and_no_other_begin(
    place: Place, number: signal.Signals, code: int
) -> None:
    process = place.start("slow.py")
    place.wait_for("begun")
    process.send_signal(number)
    time.sleep(0.2)
    process.send_signal(number)
    assert place.has("state/lock")
    place.let_go()
    output, _ = process.communicate(timeout=BOUND_SECONDS)
    assert (process.returncode, place.kinds()) == (code, ["STARTED", "INTERRUPTED"])
    assert (place.has("slept"), place.has("gone-on")) == (True, False)
    assert output.count("stopping after the current step") == 2
    assert place.has("state/steps/PLAT_02B.red")
    place.assert_consistent()


def test_a_killed_run_stops_the_next_until_it_is_acknowledged(place: Place) -> None:
    process = place.start("slow.py")
    place.wait_for("begun")
    process.kill()
    place.let_go()
    process.communicate()
    dead = place.events()[0]["run"]
    code, output = place.run("calm.py")
    assert (code, f"--data acknowledge={dead}" in output, place.has("made")) == (1, True, False)
    assert place.run("calm.py", "--data", f"acknowledge={dead}")[0] == 0
    assert place.kinds() == ["STARTED", "INTERRUPTED", "STARTED", "OK"]
    closed = place.events()[1]
    assert (closed["run"], closed["pages"]) == (dead, ["PLAT_02B"])
    assert place.has("state/steps/PLAT_02B.red")
    assert closed["acknowledged_in"] == place.events()[2]["run"]
    place.assert_consistent()


def test_a_run_left_open_without_a_lock_stops_the_next_too(place: Place) -> None:
    process = place.start("slow.py")
    place.wait_for("begun")
    process.kill()
    place.let_go()
    process.communicate()
    shutil.rmtree(place.folder / "state/lock")
    code, output = place.run("calm.py")
    assert (code, "was started and never closed" in output) == (1, True)
    code, output = place.run("calm.py", "--data", "acknowledge=run-20200101-000000-0000")
    assert (code, "was started and never closed" in output) == (1, True)
    assert place.kinds() == ["STARTED"]
    assert not place.has("state/lock")


def test_what_is_not_open_cannot_be_acknowledged(place: Place) -> None:
    code, output = place.run("calm.py", "--data", "acknowledge=run-20200101-000000-0000")
    assert (code, "is neither open nor locked" in output, place.has("made")) == (1, True, False)
    assert (place.kinds(), place.has("state/lock")) == ([], False)


def test_of_two_runs_at_once_one_is_refused_and_disturbs_nothing(place: Place) -> None:
    first = place.start("slow.py")
    place.wait_for("begun")
    code, output = place.run("calm.py")
    assert (code, bool(re.search(r"locked by \S+@\S+ since .* \(PLAT_02B, run-", output))) == (1, True)
    assert not place.has("made")
    place.let_go()
    first.communicate(timeout=BOUND_SECONDS)
    assert (first.returncode, place.kinds()) == (0, ["STARTED", "OK"])
    place.assert_consistent()


def test_a_reader_that_goes_away_leaves_no_lock(place: Place) -> None:
    process = place.start("slow.py")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    place.let_go()
    process.wait(BOUND_SECONDS)
    assert place.kinds() == ["STARTED", "OK"]
    place.assert_consistent()


def break_the_record(place: Place) -> None:
    path = place.folder / "state/record.jsonl"
    path.write_text(path.read_text().replace('"STARTED"', '"STARTLED"'))


def lose_the_host(place: Place) -> None:
    shutil.rmtree(place.folder / "state")


@pytest.mark.parametrize("harm", [break_the_record, lose_the_host])
def test_a_run_whose_end_the_host_cannot_record_is_not_ok(place: Place, harm: Callable[[Place], None]) -> None:
    process = place.start("slow.py")
    place.wait_for("begun")
    harm(place)
    place.let_go()
    output, _ = process.communicate(timeout=BOUND_SECONDS)
    assert (process.returncode, "not recorded on the host" in output) == (1, True)
    assert "is still open on @local" in place.page()
    assert place.has("state/lock") == (harm is break_the_record)


def test_the_words_that_a_failed_step_left_are_read_once_and_on_record(place: Place) -> None:
    assert place.run("telling.py")[0] != 0
    ended = place.events()[-1]
    assert (ended["event"], ended["why"]) == ("FAILED", "the gate was red")
    assert "\n- why: the gate was red\n" in place.page()
    assert not place.has("state/why")
    assert place.run("failing.py")[0] != 0
    assert "why" not in place.events()[-1]
    place.assert_consistent()


def test_words_left_by_a_run_that_nobody_saw_end_are_not_told_of_the_next(place: Place) -> None:
    place.run("calm.py")
    (place.folder / "state/why").write_text("of a killed run\n")
    assert place.run("failing.py")[0] != 0
    assert "why" not in place.events()[-1]
    assert not place.has("state/why")


def test_what_a_page_notes_joins_its_record_and_the_log_of_deploys(place: Place) -> None:
    place.run("telling.py")
    noted = {"from": "v1", "to": "v2", "why": "a trial"}
    assert [event["notes"]["LEADGEN_02"] for event in place.events()] == [noted, noted]
    assert "\n- from: v1, to: v2, why: a trial\n" in place.page()


def test_the_sum_of_a_file_that_the_host_made_is_in_the_record_and_the_log_of_deploys(place: Place) -> None:
    assert place.run("listing.py")[0] == 0
    path, sha256 = str(place.folder / "list"), digest("a package\n")
    assert place.events()[-1]["sums"] == {path: sha256}
    assert f"\n- {path}: sha256 {sha256}\n" in place.page()


def test_a_setting_given_for_one_run_is_on_record_even_when_nothing_changed(place: Place) -> None:
    given = ("--data", "postgres_max_connections=50")
    assert place.run("calm.py", *given)[0] == 0
    assert place.run("calm.py", *given)[0] == 0
    assert [event["notes"] for event in place.events()] == [{"--data": {"postgres_max_connections": "50"}}] * 4
    log = "".join(page.read_text() for page in place.folder.rglob("2*.md"))
    assert log.count("postgres_max_connections: 50") == 2
