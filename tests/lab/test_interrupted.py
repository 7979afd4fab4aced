"""Deploys that do not come to their end: killed after every operation, or told to stop; and two at once."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.lab.deploying import deploy, deployed, record, sentence, state
from tests.lab.host import Host
from tests.lab.runs import Run, words
from tests.lab.sample import one, points

SECONDS = 120
BUILD = "Starting operation: PLAT_02B | image"  # the operation that takes longest


def building(host: Host) -> Run:
    """PLAT_02B from its beginning, now in its build."""
    host.restore("plat_02b")
    run = host.start_pyinfra("plat_02b")
    assert run.says(BUILD, SECONDS), run.output
    return run


@pytest.fixture(scope="module")
def host(lab: Callable[[], Host]) -> Host:
    """A host with a snapshot before PLAT_02B, and one before PLAT_02C."""
    made = lab()
    deployed(made, "plat_01", "plat_02a")
    made.snapshot("plat_02b")
    deployed(made, "plat_02b")
    made.snapshot("plat_02c")
    return made


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


@pytest.mark.parametrize("page", ["plat_02b", "plat_02c"])
def test_killed_after_any_operation_the_page_converges_once_the_open_record_is_acknowledged(
    host: Host, page: str
) -> None:
    host.restore(page)
    whole = deployed(host, page)
    clean = state(host)
    operations = whole.output.count("--> Starting operation")
    assert operations > 5
    for killed_after in points(operations):
        host.restore(page)
        open_run = killed(host, page, killed_after)
        deployed(host, page, data={"acknowledge": open_run})
        assert state(host) == clean, killed_after
        closed = [line["event"] for line in record(host) if line["run"] == open_run]
        assert closed == ["STARTED", "INTERRUPTED"]


def test_nothing_runs_on_a_killed_page_before_somebody_has_looked(host: Host) -> None:
    host.restore("plat_02c")
    open_run = killed(host, "plat_02c", 3)
    refused = deploy(host, "plat_02c")
    assert refused.code == 1
    assert f"acknowledge={open_run}" in sentence(refused.output)
    assert record(host)[-1]["run"] == open_run


def test_a_page_that_stands_on_a_killed_one_waits_until_that_passed_again(host: Host) -> None:
    host.restore("plat_02c")
    open_run = killed(host, "plat_02b", 3)
    early = deploy(host, "plat_02c", data={"acknowledge": open_run})
    assert early.code == 1
    assert f"PLAT_02B is red since {open_run}; run deploys/plat_02b.py first" in sentence(early.output)
    deployed(host, "plat_02b", "plat_02c")


@pytest.mark.parametrize(
    ("number", "code"),
    one([(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]),
    ids=lambda value: str(value.name if isinstance(value, signal.Signals) else value),
)
def test_a_signal_ends_the_run_after_the_running_step_and_leaves_no_lock(
    host: Host, number: signal.Signals, code: int
) -> None:
    run = building(host)
    os.kill(run.pid, number)
    assert run.done(SECONDS).returncode == code, run.output
    assert "stopping after the running step" in run.output
    assert record(host)[-1]["event"] == "INTERRUPTED"
    host.root("test ! -e /var/lib/motorcade/lock")
    deployed(host, "plat_02b")


def test_of_two_deploys_at_once_one_loses_cleanly(host: Host) -> None:
    first = building(host)
    second = deploy(host, "plat_02b")
    assert second.code == 1
    run = str(record(host)[-1]["run"])
    assert re.search(rf"locked by .* since .*{run}", sentence(second.output)), second.output
    assert first.done(SECONDS).returncode == 0, first.output
    assert [line["event"] for line in record(host)[-2:]] == ["STARTED", "OK"]


def test_a_connection_that_drops_is_told_and_the_next_run_asks_for_an_acknowledgement(host: Host) -> None:
    run = building(host)
    host.root("systemctl restart ssh; pkill -KILL -u operator sshd", check=False)
    assert run.done(SECONDS).returncode != 0, run.output
    started = record(host)[-1]
    assert started["event"] == "STARTED"
    refused = deploy(host, "plat_02b")
    assert f"acknowledge={started['run']}" in sentence(refused.output)
    host.root("while pgrep -x podman >/dev/null; do sleep 0.2; done")
    deployed(host, "plat_02b", data={"acknowledge": str(started["run"])})
