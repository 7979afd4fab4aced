"""A run that makes a lab host, deploys to it or carries it is killed: nothing of it is left."""

# More than a minute: each test boots a host, or kills what boots one.

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.lab.command import run, until
from tests.lab.folders import PROJECT
from tests.lab.host import Host, claim, every
from tests.lab.traces import traces

UP_SECONDS = 180


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab()


def nspawn(host: Host) -> int:
    """The pid of the program around the guest."""
    named = [int(line) for line in run("ps", "-C", "systemd-nspawn", "-o", "pid=").splitlines()]
    [pid] = host.guest.group.pids() & set(named)
    return pid


def start_up(name: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.lab", "up", "--host", name],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_a_pyinfra_that_is_killed_goes_with_its_whole_session(host: Host) -> None:
    (host.directory / "page.py").write_text(
        "from pyinfra.operations import server\nserver.shell(commands=['sleep 97'])\n"
    )
    started = host.start_pyinfra(f"../.lab/{host.name}/page")
    assert started.says("Starting operation", 30), started.output
    started.send_all(signal.SIGKILL)
    assert started.wait(10) == -signal.SIGKILL
    assert until(lambda: not started.group.pids(), 5)


@pytest.mark.parametrize("moment", ["copied", "started"])
def test_a_run_that_is_killed_while_it_makes_a_host_leaves_nothing_after_down(moment: str) -> None:
    made = claim()
    up = start_up(made.name)
    reached = {"copied": (made.guest.root / "usr").exists, "started": lambda: made.guest.runs}[moment]
    try:
        assert until(reached, UP_SECONDS)
        up.kill()
        up.wait()
        assert not made.is_made
        assert traces(made) != []
        assert made.is_taken
        assert made in every()
    finally:
        up.kill()
        up.wait()
        made.down()
    assert traces(made) == []


def test_up_makes_whole_what_a_killed_run_left_and_leaves_a_running_host_alone() -> None:
    made = claim()
    first = start_up(made.name)
    try:
        assert until(lambda: made.guest.runs, UP_SECONDS)
        first.kill()
        first.wait()
        made.up()
        before = nspawn(made)
        made.up()
        assert nspawn(made) == before
        assert made.ssh("systemctl is-system-running").stdout.strip() == "running"
    finally:
        first.kill()
        first.wait()
        made.down()
    assert traces(made) == []


def test_killing_systemd_nspawn_itself_leaves_a_guest_that_down_still_ends(lab: Callable[..., Host]) -> None:
    made = lab()
    outside = nspawn(made)
    made.guest.group.send(outside, signal.SIGKILL)
    assert until(lambda: outside not in made.guest.group.pids(), 5)
    assert made.guest.runs
    made.down()
    assert traces(made) == []


def test_a_stranger_with_a_pid_of_the_group_is_not_signalled(host: Host) -> None:
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        host.guest.group.send(stranger.pid, signal.SIGKILL)
        assert stranger.poll() is None
        host.guest.group.send(2**22 - 1, signal.SIGKILL)
    finally:
        stranger.kill()
        stranger.wait()
