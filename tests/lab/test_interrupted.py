"""Deploys that do not come to their end: killed after every operation, or told to stop; and two at once."""

# More than a minute: each kill is a boot from a snapshot, a run that dies and one that converges.

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.lab.command import run as execute
from tests.lab.deploying import Ended, deploy, deployed, record, sentence, state
from tests.lab.host import Host
from tests.lab.runs import Run, words

SECONDS = 120
BUILD = "Starting operation: PLAT_02B | image"  # the operation that takes longest
START = "Starting operation: PLAT_02C | motorcade-postgres runs"
IMAGES = ("var/lib/containers", "var/lib/motorcade/images")


def within(host: Host, page: str, operation: str) -> Run:
    """A page from its beginning, now in one of its operations."""
    host.restore(page)
    run = host.start_pyinfra(page)
    assert run.says(operation, SECONDS), run.output
    return run


@dataclass(frozen=True)
class Whole:
    """A page that came to its end: its run, and what the host was then."""

    run: Ended
    state: str


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    """With a snapshot before PLAT_02B."""
    made = lab("network")
    made.snapshot("plat_02b")
    return made


@pytest.fixture(scope="module")
def image(host: Host) -> Whole:
    """PLAT_02B, with a snapshot behind it, and one before it on which its image was built already.

    Most of the page is its build, so after that it is killed on a host that needs none.
    """
    whole = Whole(deployed(host, "plat_02b"), state(host))
    host.snapshot("plat_02c")
    host.restore("plat_02b")
    host.shut_down()
    snapshot = host.guest.root.parent / "snapshots/plat_02c"
    for part in IMAGES:
        execute("rm", "-rf", host.guest.root / part)
        execute("cp", "--archive", "--reflink=always", snapshot / part, host.guest.root / part)
    host.boot()
    host.snapshot("built")
    return whole


@pytest.fixture(scope="module")
def server(host: Host, image: Whole) -> Whole:
    """PLAT_02C."""
    del image
    host.restore("plat_02c")
    return Whole(deployed(host, "plat_02c"), state(host))


def killed(host: Host, page: str, operations: int) -> str:
    """The id of a run that died by SIGKILL after its n-th operation."""
    died = subprocess.run(
        [sys.executable, "-m", "tests.lab.killed", str(operations), *words(host.name, [page], {}, [])[1:]],
        capture_output=True,
        text=True,
        timeout=SECONDS * 5,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    return str(record(host)[-1]["run"])


def converges(host: Host, page: str, killed_after: int, whole: Whole) -> None:
    """Whether the page, killed after that operation, comes to the same end once somebody has looked at it."""
    open_run = killed(host, page, killed_after)
    deployed(host, page, data={"acknowledge": open_run})
    assert state(host) == whole.state, killed_after
    closed = [line["event"] for line in record(host) if line["run"] == open_run]
    assert closed == ["STARTED", "INTERRUPTED"]


def test_killed_after_any_operation_the_page_with_the_build_converges_once_the_open_record_is_acknowledged(
    host: Host, image: Whole
) -> None:
    built, *later = image.run.marks[1:]
    assert len(later) >= 4
    for killed_after in (1, built):
        host.restore("plat_02b")
        converges(host, "plat_02b", killed_after, image)
    for killed_after in later:
        host.restore("built")
        converges(host, "plat_02b", killed_after, image)


def test_killed_after_any_operation_the_page_with_the_start_converges_as_well(host: Host, server: Whole) -> None:
    assert len(server.run.marks) >= 4
    for killed_after in server.run.marks:
        host.restore("plat_02c")
        converges(host, "plat_02c", killed_after, server)


@pytest.mark.usefixtures("image")
def test_nothing_runs_on_a_killed_page_before_somebody_has_looked(host: Host) -> None:
    host.restore("plat_02c")
    open_run = killed(host, "plat_02c", 3)
    refused = deploy(host, "plat_02c")
    assert refused.code == 1
    assert f"acknowledge={open_run}" in sentence(refused.output)
    assert record(host)[-1]["run"] == open_run


@pytest.mark.usefixtures("image")
def test_a_page_that_stands_on_a_killed_one_waits_until_that_passed_again(host: Host) -> None:
    host.restore("plat_02c")
    open_run = killed(host, "plat_02b", 3)
    early = deploy(host, "plat_02c", data={"acknowledge": open_run})
    assert early.code == 1
    assert f"PLAT_02B has been red since {open_run}; run deploys/plat_02b.py first" in sentence(early.output)
    deployed(host, "plat_02b", "plat_02c")


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value.name if isinstance(value, signal.Signals) else value),
)
def test_a_signal_ends_the_run_after_the_running_step_and_leaves_no_lock(
    host: Host, number: signal.Signals, code: int
) -> None:
    run = within(host, "plat_02c", START)
    os.kill(run.pid, number)
    assert run.done(SECONDS).returncode == code, run.output
    assert "stopping after the current step" in run.output
    assert record(host)[-1]["event"] == "INTERRUPTED"
    host.root("test ! -e /var/lib/motorcade/lock")
    deployed(host, "plat_02c")


def test_of_two_deploys_at_once_one_loses_cleanly(host: Host) -> None:
    first = within(host, "plat_02b", BUILD)
    second = deploy(host, "plat_02b")
    assert second.code == 1
    run = str(record(host)[-1]["run"])
    assert re.search(rf"locked by .* since .*{run}", sentence(second.output)), second.output
    assert first.done(SECONDS).returncode == 0, first.output
    assert [line["event"] for line in record(host)[-2:]] == ["STARTED", "OK"]


def test_a_connection_that_drops_is_told_and_the_next_run_asks_for_an_acknowledgement(host: Host) -> None:
    run = within(host, "plat_02b", BUILD)
    host.root("systemctl restart ssh; pkill -KILL -u operator sshd", check=False)
    assert run.done(SECONDS).returncode != 0, run.output
    started = record(host)[-1]
    assert started["event"] == "STARTED"
    refused = deploy(host, "plat_02b")
    assert f"acknowledge={started['run']}" in sentence(refused.output)
    host.root("while pgrep -x podman >/dev/null; do sleep 0.2; done")
    deployed(host, "plat_02b", data={"acknowledge": str(started["run"])})
