"""The supervisor and the lock, on real processes: patient restarts, giving up in words, one holder at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leadgen.dev.child import Child, spawn, stop
from leadgen.dev.errors import AlreadyRunning, CannotStart
from leadgen.dev.lock import Lock
from leadgen.dev.processes import find
from leadgen.dev.sessions import Sessions
from leadgen.dev.supervisor import FIRST_DELAY_SECONDS, MOST_DEATHS, Supervisor, bound_log

HOLDER = """
import sys, time
from pathlib import Path
from leadgen.dev.lock import Lock
with Lock(Path(sys.argv[1]), "http://127.0.0.1:8000"):
    print("held", flush=True)
    time.sleep(600)
"""


class Program:
    """A part made of any command, which counts its starts."""

    def __init__(self, log: Path, *command: str) -> None:
        self.log = log
        self.starts = 0
        self.fails = False
        self._command = command
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def retired(self) -> bool:
        return self._child is not None and self._child.poll() == 0

    def start(self) -> None:
        self.starts += 1
        if self.fails:
            raise CannotStart("postgres", "it did not start", "read the log")
        self._child = spawn(self._command, log=self.log, environ={"PATH": "/usr/bin:/bin"})

    def stop(self) -> None:
        if self._child:
            stop(self._child, (signal.SIGTERM, 5))

    def wait(self) -> None:
        assert self._child
        self._child.wait()


def test_a_part_that_died_is_started_again_after_its_delay(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    part = Program(tmp_path / "log", "sleep", "600")
    supervisor.start("sleeper", part, part.log)
    now = time.monotonic()
    assert supervisor.run_once(now) == 0
    os.kill(part.pid or 0, signal.SIGKILL)
    part.wait()
    assert supervisor.run_once(now) == 0
    assert said == [f"sleeper ended; restarting it in {FIRST_DELAY_SECONDS:g} s ({part.log})"]
    assert supervisor.run_once(now + FIRST_DELAY_SECONDS - 0.01) == 0
    assert supervisor.run_once(now + FIRST_DELAY_SECONDS) == 1
    assert part.pid is not None
    supervisor.stop()
    assert part.pid is None


def test_a_part_that_cannot_live_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    part = Program(tmp_path / "log", "sh", "-c", "echo the disk is on fire; exit 1")
    supervisor.start("api", part, part.log)
    now = time.monotonic()
    for _ in range(MOST_DEATHS - 1):
        part.wait()
        supervisor.run_once(now)
        now += 20
        assert supervisor.run_once(now) == 1
    part.wait()
    with pytest.raises(CannotStart, match=r"api: it ended 6 times in a row:\n    the disk is on fire") as caught:
        supervisor.run_once(now)
    assert str(part.log) in str(caught.value)
    assert part.starts == MOST_DEATHS
    supervisor.stop()


def test_a_restart_that_fails_is_a_death_like_any_other_however_long_it_took(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    part = Program(tmp_path / "log", "sleep", "600")
    supervisor.start("postgres", part, part.log)
    assert part.pid
    os.kill(part.pid, signal.SIGKILL)
    part.wait()
    part.fails = True
    now = time.monotonic()
    for _ in range(MOST_DEATHS - 2):
        supervisor.run_once(now)
        now += 60
        assert supervisor.run_once(now) == 1
        now += 60
    part.fails = False
    supervisor.run_once(now)
    now += 60
    assert supervisor.run_once(now) == 1
    assert part.pid
    os.kill(part.pid, signal.SIGKILL)
    part.wait()
    with pytest.raises(CannotStart, match="postgres: it ended 6 times in a row"):
        supervisor.run_once(now + 1)
    assert len(said) == MOST_DEATHS - 1
    supervisor.stop()


def test_deaths_long_ago_do_not_count(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    part = Program(tmp_path / "log", "false")
    supervisor.start("worker", part, part.log)
    now = time.monotonic()
    for _ in range(2 * MOST_DEATHS):
        part.wait()
        now += 60
        supervisor.run_once(now)
        now += FIRST_DELAY_SECONDS
        assert supervisor.run_once(now) == 1
    supervisor.stop()


def test_a_worker_that_retires_is_replaced_at_once_however_often(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    part = Program(tmp_path / "log", "true")
    supervisor.start("worker", part, part.log)
    now = time.monotonic()
    for _ in range(2 * MOST_DEATHS):
        part.wait()
        supervisor.run_once(now)
        assert supervisor.run_once(now) == 1
    assert said == []
    supervisor.stop()


def test_a_long_log_keeps_its_newer_half_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        bound_log(log, most=1_000)
        assert log.stat().st_size == 400
        bound_log(log, most=399)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "api.1.log").read_bytes() == b"old\n" * 100


def test_the_second_holder_gets_a_message_about_the_first(tmp_path: Path) -> None:
    holder = hold(tmp_path / "lock")
    with pytest.raises(AlreadyRunning) as caught, Lock(tmp_path / "lock", "http://127.0.0.1:8001"):
        pass
    assert str(holder.pid) in str(caught.value)
    assert "is already running it on http://127.0.0.1:8000; use that one" in str(caught.value)
    holder.kill()
    holder.wait()


def test_the_lock_of_a_killed_holder_is_taken_over(tmp_path: Path) -> None:
    holder = hold(tmp_path / "lock")
    holder.kill()
    holder.wait()
    assert (tmp_path / "lock").read_text().startswith(f"{holder.pid}\n")
    with Lock(tmp_path / "lock", "http://127.0.0.1:8001"):
        assert (tmp_path / "lock").read_text().startswith(f"{os.getpid()}\n")


def test_a_lock_file_with_the_pid_of_a_foreign_process_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\n0\nhttp://127.0.0.1:8000\n/sbin/init\n")
    with Lock(tmp_path / "lock", "http://127.0.0.1:8001"):
        pass


def test_a_leftover_session_is_ended_and_a_reused_pid_is_not(tmp_path: Path) -> None:
    ours, foreign = (
        subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True) for _ in range(2)
    )
    record = tmp_path / "sessions"
    sessions = Sessions(record)
    sessions.begin()
    sessions.add(ours.pid)
    started = find(foreign.pid)
    assert started
    with record.open("a") as file:
        file.write(f"{foreign.pid} {started.started - 1}\n")
    sessions.begin()
    assert ours.wait(5) != 0
    assert foreign.poll() is None
    assert len(record.read_text().splitlines()) == 1
    os.killpg(foreign.pid, signal.SIGKILL)
    foreign.wait()


def test_sessions_of_an_earlier_boot_are_ignored(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    started = find(bystander.pid)
    assert started
    (tmp_path / "sessions").write_text(f"another-boot\n{bystander.pid} {started.started}\n")
    Sessions(tmp_path / "sessions").begin()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def hold(lock: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
    return holder
