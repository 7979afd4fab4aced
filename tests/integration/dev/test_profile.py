"""`leadgen dev` end to end: it serves, survives the death of any part, and leaves nothing behind."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.error
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import psycopg
import pytest

import leadgen
from leadgen.dev.account import Account, for_postgres
from tests.conftest import Database
from tests.integration.dev.running_profile import MakeProfile, RunningProfile
from tests.integration.service import ENDS_SECONDS
from tests.integration.stopwatch import quickest, took

ROOT = Path(leadgen.__file__).parents[1]


@pytest.fixture(scope="module")
def profile(make_profile: MakeProfile) -> RunningProfile:
    """One that runs, shared by the tests that leave it running."""
    shared = make_profile()
    shared.start()
    return shared


def leads(profile: RunningProfile, intake_ids: list[str]) -> dict[str, int]:
    """How many leads each of the intakes has become."""
    rows = profile.query("SELECT intake_id::text, count(*) FROM app.leads GROUP BY intake_id")
    return {intake_id: number for intake_id, number in rows if intake_id in set(intake_ids)}


def service(profile: RunningProfile, name: str) -> int:
    """The pid of a part: the child of the supervisor whose command line holds the name."""
    (pid,) = [
        process.pid
        for process in profile.processes()
        if process.session == process.pid and any(name in word for word in process.command)
        if process.pid != profile.process.pid and not process.command[0].startswith("postgres: ")
    ]
    return pid


def test_the_printed_command_gives_202_and_becomes_one_lead_in_under_a_second(profile: RunningProfile) -> None:
    command = profile.output[profile.output.index("curl ") :]

    def send_one() -> float:
        answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
        assert answer.startswith("HTTP/1.1 202")
        (location,) = [line.split()[1] for line in answer.splitlines() if line.startswith("Location:")]
        intake_id = location.rpartition("/")[2]
        seconds = took(lambda: profile.wait_until_done(intake_id))
        assert leads(profile, [intake_id]) == {intake_id: 1}
        return seconds

    assert quickest(1, send_one) < 1


def test_the_output_says_where_everything_is(profile: RunningProfile) -> None:
    assert "your shell's own settings" not in profile.output
    for wanted in (f"{profile.address}/", str(profile.folder / ".dev"), "site.key", "/log/", "Ctrl-C"):
        assert wanted in profile.output


def test_the_suggested_command_works_in_a_shell_that_has_read_the_environment(profile: RunningProfile) -> None:
    (line,) = [line for line in profile.output.splitlines() if line.startswith("  Shell ")]
    parts = re.fullmatch(r"  Shell +(.+)  \(then e\.g\. `(.+)`\)", line)
    assert parts
    shown = subprocess.run(
        ["sh", "-c", " && ".join(parts.groups())], env=profile.environ, capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")


def test_secrets_are_readable_by_their_owner_only(profile: RunningProfile) -> None:
    for name in ("api-keys", "dev.key", "site.key", "environment", "passwords", "redis/valkey.conf"):
        assert (profile.folder / ".dev" / name).stat().st_mode & 0o777 == 0o600, name


def test_no_service_is_given_the_owner_of_the_schema(profile: RunningProfile) -> None:
    environs = [
        Path(f"/proc/{process.pid}/environ").read_text()
        for process in profile.processes()
        if {"gunicorn", "sweep"} & set(process.command)
    ]
    assert environs
    assert not any("LEADGEN_OWNER_DATABASE_URL" in environ for environ in environs)
    assert all("LEADGEN_DATABASE_URL" in environ for environ in environs)


def test_a_second_run_says_who_runs_where(profile: RunningProfile) -> None:
    second = profile.spawn(output="second")
    assert second.wait(ENDS_SECONDS) == 1
    message = (profile.folder / "second").read_text()
    assert f"process {profile.process.pid} " in message
    assert f"is already running it on {profile.address}" in message
    profile.wait_until_done(profile.post_until_accepted())


@pytest.mark.parametrize("name", ["gunicorn", "rq", "sweep", "postgres", "valkey"])
def test_a_part_that_is_killed_is_started_again(profile: RunningProfile, name: str) -> None:
    before = profile.post_until_accepted()
    victim = service(profile, name)
    subprocess.run(["kill", "-KILL", str(victim)], check=True)
    after = profile.post_until_accepted()
    profile.wait_until_done(after)
    wait_for(lambda: service(profile, name) != victim)
    assert leads(profile, [before, after]) == {before: 1, after: 1}


def test_ctrl_c_stops_everything_within_seconds_and_exits_0(make_profile: MakeProfile) -> None:
    profile = make_profile()
    profile.start()
    everything = profile.processes()
    assert len(everything) > 10
    began = time.monotonic()
    assert profile.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15
    assert [process for process in everything if process.alive] == []


def test_what_a_shell_has_set_is_used_and_named(make_profile: MakeProfile) -> None:
    profile = make_profile(LEADGEN_SERVICE_AREA_STATES="OK", LEADGEN_LOG_LEVEL="WARNING")
    profile.start()
    said = "  your shell's own settings are in use: LEADGEN_LOG_LEVEL, LEADGEN_SERVICE_AREA_STATES\n"
    assert said in profile.output
    with pytest.raises(urllib.error.HTTPError, match="422"):
        profile.post()  # from Texas
    assert profile.stop() == 0


def test_a_terminal_that_closes_ends_it_although_make_passes_nothing_on(
    make_profile: MakeProfile, tmp_path: Path
) -> None:
    profile = make_profile()
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t{shlex.join(profile.command())}\n")
    ours, its = pty.openpty()
    # As `ssh -t host make run` does it: make is the first process of the terminal's session.
    make = subprocess.Popen(
        ["setsid", "--ctty", "make", "-f", makefile, "run"], env=profile.environ, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    output = b""
    while b"Send a lead" not in output:
        output += os.read(ours, 65536)
    everything = profile.processes(make.pid)
    assert len(everything) > 10
    os.close(ours)
    wait_for(lambda: not any(process.alive for process in everything))
    make.wait(ENDS_SECONDS)


def test_under_nohup_it_outlives_its_terminal(make_profile: MakeProfile, tmp_path: Path) -> None:
    profile = make_profile()
    ours, its = pty.openpty()
    leader = subprocess.Popen(
        ["setsid", "--ctty", "nohup", *profile.command()],
        env=profile.environ,
        cwd=tmp_path,
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    wait_for(lambda: "Send a lead" in read(tmp_path / "nohup.out"))
    os.close(ours)
    time.sleep(3)  # it looks at the terminal five times a second, and would have stopped serving by now
    assert profile.post()["status"] == "accepted"
    leader.send_signal(signal.SIGTERM)
    assert leader.wait(ENDS_SECONDS) == 0


def test_what_was_accepted_is_there_again_after_a_restart(make_profile: MakeProfile) -> None:
    profile = make_profile()
    profile.start()
    intake_id = profile.post_until_accepted()
    key = (profile.folder / ".dev/dev.key").read_text()
    profile.wait_until_done(intake_id)
    assert profile.stop(signal.SIGTERM) == 0
    profile.start()
    assert profile.status(intake_id) == "done"
    assert (profile.folder / ".dev/dev.key").read_text() == key


def test_children_end_with_a_supervisor_that_is_killed(make_profile: MakeProfile) -> None:
    profile = make_profile()
    profile.start()
    everything = profile.processes()
    profile.stop(signal.SIGKILL)
    wait_for(lambda: not any(process.alive for process in everything))


def test_after_sigkill_of_everything_under_load_each_accepted_intake_is_one_lead(
    make_profile: MakeProfile,
) -> None:
    profile = make_profile()
    profile.start()
    accepted, stop_posting = post_all_the_time(profile)
    wait_for(lambda: len(accepted) > 100)
    for process in profile.processes():
        process.signal(signal.SIGKILL)
    stop_posting()
    profile.process.wait()
    profile.start()
    for intake_id in accepted:
        profile.wait_until_done(intake_id)
    assert leads(profile, accepted) == dict.fromkeys(accepted, 1)


def test_a_frozen_leftover_does_not_keep_the_next_run_from_starting(make_profile: MakeProfile) -> None:
    profile = make_profile()
    profile.start()
    everything = profile.processes()
    for process in everything[1:]:
        process.signal(signal.SIGSTOP)
    profile.stop(signal.SIGKILL)
    assert any(process.alive for process in everything[1:])
    profile.start()
    assert [process for process in everything if process.alive] == []
    profile.wait_until_done(profile.post_until_accepted())


def test_a_shell_that_has_read_the_environment_runs_the_profile_again(make_profile: MakeProfile) -> None:
    profile = make_profile()
    profile.start()
    intake_id = profile.post_until_accepted()
    profile.wait_until_done(intake_id)
    names = ("LEADGEN_DATABASE_URL", "LEADGEN_OWNER_DATABASE_URL", "LEADGEN_REDIS_URL")
    read = {name: profile.setting(name) for name in names}
    for _ in range(2):  # what was read is then older than the last run
        assert profile.stop() == 0
        profile.environ = profile.environ | read
        profile.start()
        assert profile.status(intake_id) == "done"
        profile.wait_until_done(profile.post_until_accepted())
    for name in ("LEADGEN_DATABASE_URL", "LEADGEN_REDIS_URL"):
        assert f"{name} is from a dev profile (`. .dev/environment`), so it is ignored" in profile.output


def test_servers_of_ones_own_are_used_beside_what_a_shell_has_read(
    make_profile: MakeProfile, database: Database
) -> None:
    profile = make_profile()
    profile.start()
    of_the_profile = profile.setting("LEADGEN_OWNER_DATABASE_URL")
    assert profile.stop() == 0
    profile.environ = profile.environ | {
        "LEADGEN_DATABASE_URL": database.owner_url,
        "LEADGEN_OWNER_DATABASE_URL": of_the_profile,
    }
    profile.start()
    profile.wait_until_done(profile.post_until_accepted())
    assert "✓ Database of LEADGEN_DATABASE_URL" in profile.output
    with psycopg.connect(database.superuser_url) as connection:
        assert connection.execute("SELECT count(*) FROM app.leads").fetchone() == (1,)


def test_servers_of_ones_own_are_used_instead(
    make_profile: MakeProfile, database: Database, redis_url: str
) -> None:
    profile = make_profile(
        LEADGEN_DATABASE_URL=database.app_url,
        LEADGEN_OWNER_DATABASE_URL=database.owner_url,
        LEADGEN_REDIS_URL=redis_url,
    )
    profile.start()
    profile.wait_until_done(profile.post_until_accepted())
    assert not (profile.folder / ".dev/postgres").exists()
    assert not (profile.folder / ".dev/redis").exists()
    profile.stop()


def test_a_normal_user_runs_it(make_profile: MakeProfile, server_directory: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this user is a normal one, so every other test shows it")
    user = for_postgres()
    python = python_for(user, server_directory / "python")
    profile = make_profile(python, "-m", "leadgen", account=user)
    profile.start()
    profile.wait_until_done(profile.post_until_accepted())
    assert {process.user for process in profile.processes()} == {user.uid}
    assert profile.stop() == 0


def python_for(user: Account, folder: Path) -> Path:
    """This Python, or an environment with the same packages around the system's if only root may run this one."""
    if user.can_run(Path(sys.executable)):
        return Path(sys.executable)
    system = Path(f"/usr/bin/python3.{sys.version_info.minor}")
    if not system.exists():
        pytest.skip(f"{user.name} may not run {sys.executable}, and {system} does not exist")
    subprocess.run([system, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "same.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    # The help of all commands imports everything.
    if trouble := user.run(folder / "bin/python", "-m", "leadgen", "--help").stderr:
        pytest.skip(f"{system} cannot use the packages of {sys.executable}: {trouble.splitlines()[-1]}")
    return folder / "bin/python"


def post_all_the_time(profile: RunningProfile) -> tuple[list[str], Callable[[], None]]:
    """Post from four threads until stopped; returns the list of accepted ids, as they come, and the stop event."""
    accepted: list[str] = []
    stopped = threading.Event()

    def post() -> None:
        while not stopped.is_set():
            with suppress(OSError, HTTPException):
                accepted.append(profile.post()["intake_id"])

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()

    def stop() -> None:
        stopped.set()
        for thread in threads:
            thread.join()

    return accepted, stop


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def wait_for(condition: Callable[[], bool], seconds: float = ENDS_SECONDS) -> None:
    until = time.monotonic() + seconds
    while True:
        with suppress(ValueError):  # a part that is just being started again
            if condition():
                return
        assert time.monotonic() < until
        time.sleep(0.05)
