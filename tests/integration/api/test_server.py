"""The API as it is served: refusing to start, broken HTTP, a graceful end, and Redis or everything dying."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from leadgen.api.probes import OBSTACLES
from leadgen.dev.redis import EmbeddedRedis
from leadgen.domain import api_key
from leadgen.errors import DatabaseUnavailable, MigrationError, UnsafeDurability
from leadgen.store.migrations import migrate
from tests.conftest import Database, administer
from tests.integration.lead import LEAD
from tests.integration.locks import wait_for_lock
from tests.integration.service import Service, until
from tests.integration.stack import Stack, make_stack

POSTS = 2_000


@pytest.fixture
def stack(tmp_path: Path, database: Database, redis_url: str) -> Stack:
    return make_stack(tmp_path, database, redis_url)


@pytest.mark.parametrize(
    ("setting", "text", "told"),
    [
        ("api_keys_file", "", "LEADGEN_API_KEYS_FILE is not set"),
        ("api_keys_file", "/nowhere/keys", "/nowhere/keys"),
        ("api_keys_file", "/dev/null", "it holds no key"),
        ("database_url", "mysql://u:secret-word@h/d", "LEADGEN_DATABASE_URL is not a URL of the form"),
        ("database_url", "postgresql://u:100%secret-word@127.0.0.1:1/d", "is not one that libpq reads"),
        (
            "database_url",
            "postgresql://127.0.0.1:1/d?sslmod=secret-word",
            "the database URL is not one that libpq",
        ),
        ("redis_url", "", "LEADGEN_REDIS_URL is not set"),
        ("workers", "many", "LEADGEN_WORKERS is not a whole number"),
        ("worker", "2", "LEADGEN_WORKER is no setting of this release"),
    ],
)
def test_serve_refuses_a_bad_setting_with_one_message_that_says_what_to_do(
    stack: Stack, setting: str, text: str, told: str
) -> None:
    stack.settings[setting] = text
    with stack.run("serve") as service:
        assert service.process.wait(30) == 1
        assert told in service.log
        assert service.log.count("; ") >= 1
        assert "Traceback" not in service.log
        assert "secret-word" not in service.log


@pytest.mark.parametrize("url", ["postgresql://u:100%secret-word@h/d", "postgresql://h/d?sslmod=secret-word"])
def test_check_refuses_a_database_url_that_libpq_rejects_and_repeats_none_of_it(stack: Stack, url: str) -> None:
    stack.settings["database_url"] = url
    with stack.run("check") as service:
        assert service.process.wait(30) == 1
        assert service.log.count("the database URL is not one that libpq reads") == 1
        assert "Traceback" not in service.log
        assert "secret-word" not in service.log
        assert "sslmod" not in service.log


def test_serve_refuses_a_metrics_directory_that_cannot_be_written(stack: Stack) -> None:
    stack.settings["metrics_dir"] = "/dev/null"
    with stack.run("serve") as service:
        assert service.exit_code() == 1
        assert "metrics directory /dev/null: it cannot be written (File exists); name one" in service.log


def test_serve_leaves_a_metrics_directory_that_it_did_not_make_and_what_else_is_in_it(
    stack: Stack, tmp_path: Path
) -> None:
    kept = tmp_path / "metrics" / "leads.db"
    stale = tmp_path / "metrics" / "counter_1.db"
    kept.parent.mkdir()
    for file in (kept, stale):
        file.write_bytes(b"not a metric")
    stack.settings["metrics_dir"] = str(kept.parent)
    before = kept.parent.stat().st_ino
    with stack.serve():
        assert (kept.parent.stat().st_ino, kept.exists(), stale.exists()) == (before, True, False)


def test_serve_names_all_bad_settings_at_once(stack: Stack) -> None:
    stack.settings |= {"redis_url": "", "workers": "0", "bind": "8000"}
    with stack.run("serve") as service:
        assert service.exit_code() == 1
        assert all(name in service.log for name in ("LEADGEN_REDIS_URL", "LEADGEN_WORKERS", "LEADGEN_BIND"))


def test_serve_refuses_a_server_without_fsync(
    tmp_path: Path, own_postgres: Callable[..., Database], redis_url: str
) -> None:
    stack = make_stack(tmp_path, own_postgres(fsync="off"), redis_url)
    with stack.run("serve") as service:
        assert service.exit_code() == 1
        assert "fsync = off" in service.log
        assert "turn it on" in service.log


def assert_no_lead_is_taken(stack: Stack, obstacle: str) -> None:
    """Health answers, readiness says what is in the way, and a submission is asked to come again."""
    assert stack.ask("GET", "/lead/health")[2]["status"] == "degraded"
    status, _, document = stack.ask("GET", "/lead/ready")
    assert (status, document["detail"]) == (503, obstacle)
    status, headers, document = stack.ask("POST", "/lead/intake", json.dumps(LEAD).encode(), "early")
    assert (status, document["type"]) == (503, "/lead/problems/unavailable")
    assert int(headers["Retry-After"]) > 0
    assert "app." not in json.dumps(document)


def starts_told(service: Service) -> list[str]:
    lines = [json.loads(line) for line in service.log.splitlines()]
    return [line["reason"] for line in lines if line["event"] == "started_without_database"]


def test_served_before_the_migrations_it_takes_leads_once_they_are_applied(
    tmp_path: Path, bare_database: Database, redis_url: str
) -> None:
    stack = make_stack(tmp_path, bare_database, redis_url)
    with stack.serve_anyhow() as service, stack.run("worker"), stack.run("sweep") as sweep:
        assert_no_lead_is_taken(stack, OBSTACLES[MigrationError])
        assert until(lambda: "sweep_failed" in sweep.log)
        migrate(bare_database.owner_url, report=lambda _: None)
        assert until(lambda: stack.post("early")[0] == 202, 2)
        assert until(stack.answers, 3)
        assert until(lambda: stack.count("leads") == 1)
        assert service.process.poll() is None
        assert sweep.process.poll() is None
        (told,) = starts_told(service)
    assert told.startswith("database: lacks 20260126_01_wave1_leads, ")
    assert told.endswith("; run `leadgen migrate`")
    assert "relation" not in service.log + sweep.log


def test_served_before_postgres_it_takes_leads_once_that_is_there_and_safe(
    tmp_path: Path, own_postgres: Callable[..., Database], redis_url: str
) -> None:
    """It comes back without fsync, which the start could not see: nothing is written until that is mended."""
    stack = make_stack(tmp_path, own_postgres(), redis_url)
    server = stack.database.server
    administer(server, "ALTER SYSTEM SET fsync = off")
    server.stop()
    with stack.serve_anyhow() as service:
        assert_no_lead_is_taken(stack, OBSTACLES[DatabaseUnavailable])
        server.start()
        assert until(lambda: stack.ask("GET", "/lead/ready")[2]["detail"] == OBSTACLES[UnsafeDurability], 5)
        for _ in range(20):
            assert stack.post()[0] == 503
        assert (stack.count("intake_jobs"), stack.count("heartbeats")) == (0, 0)
        administer(server, "ALTER SYSTEM RESET fsync")
        administer(server, "SELECT pg_reload_conf()")
        assert until(lambda: stack.post("late")[0] == 202, 5)
        assert until(stack.answers, 5)
        (told,) = starts_told(service)
    assert told.startswith("database: PostgreSQL refused or lost the connection")
    assert stack.count("intake_jobs") == 1


def open_raw(stack: Stack, sent: bytes) -> socket.socket:
    """A connection on which these bytes were sent, and no more."""
    connection = socket.create_connection(("127.0.0.1", stack.port), timeout=10)
    connection.sendall(sent)
    return connection


def head(method: str, path: str, length: int, key: str = "") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n\r\n"
    ).encode()


def read_all(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def drip(connection: socket.socket) -> None:
    with suppress(OSError):
        for _ in range(60):
            connection.sendall(b" ")
            time.sleep(0.2)


def test_a_body_that_never_comes_is_a_4xx_soon_and_holds_up_nobody_else(stack: Stack) -> None:
    stack.settings["workers"] = "1"
    late = {
        b"HTTP/1.1 401 ": head("POST", "/lead/intake", 100),
        b"HTTP/1.1 400 ": head("POST", "/lead/intake", 100, stack.key) + b"{",
        b"HTTP/1.1 413 ": head("POST", "/lead/intake", 10_000_000, stack.key),
        b"HTTP/1.1 404 ": head("POST", "/nowhere", 100),
        b"HTTP/1.1 200 ": head("GET", "/lead/health", 100),
    }
    with stack.serve(), ThreadPoolExecutor() as pool:
        slow = {status: open_raw(stack, sent) for status, sent in late.items()}
        dripping = open_raw(stack, head("POST", "/lead/intake", 100_000, stack.key))
        pool.submit(drip, dripping)
        started = time.monotonic()
        assert stack.post()[0] == 202
        assert time.monotonic() - started < 2
        for status, connection in slow.items():
            assert read_all(connection).startswith(status)
        assert read_all(dripping).startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - started < 10


def test_sigterm_does_not_wait_long_for_headers_and_bodies_that_never_come(stack: Stack) -> None:
    with stack.serve() as service:
        body = open_raw(stack, head("POST", "/lead/intake", 100))
        headers = open_raw(stack, b"POST /lead/intake HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.5)
        service.send(signal.SIGTERM)
        assert service.process.wait(12) == 0
        assert b"\r\nConnection: close\r\n" in read_all(body)
        assert read_all(headers) == b""


def send_raw(stack: Stack, *parts: bytes) -> bytes:
    """What the server answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "a bad version": b"GET / HTTP/9.9\r\n\r\n",
    "a bad header": b"GET /lead/health HTTP/1.1\r\nHost: a\r\nbad header: 1\r\n\r\n",
    "a header that is too long": b"GET /lead/health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "two lengths": b"POST /lead/intake HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}a",
    "a length and chunks": b"POST /lead/intake HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


def test_the_served_api_keeps_its_promises_on_the_wire(stack: Stack) -> None:
    """One server for all that can be asked of it without harm."""
    with stack.serve():
        for name, sent in BROKEN.items():
            answer = send_raw(stack, sent)
            assert answer.startswith(b"HTTP/1.1 400 "), (name, answer[:200])
            assert b"application/problem+json" in answer, name
            assert b'"/lead/problems/bad-request"' in answer, name
        status, headers, document = stack.ask("POST", "/lead/intake", b"{" + b" " * 10_000_000)
        assert (status, document["status"]) == (413, 413)
        chunked = b"POST /lead/intake HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        chunked += f"Authorization: Bearer {stack.key}\r\nContent-Type: application/json\r\n\r\n".encode()
        answer = send_raw(stack, chunked, *[b"10000\r\n" + b" " * 65536 + b"\r\n"] * 20, b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
        status, headers, document = stack.ask("POST", "/lead/intake", json.dumps(LEAD).encode(), "k")
        assert (status, headers["Location"]) == (202, f"/lead/intake/{document['intake_id']}")


def test_sigterm_finishes_what_is_in_flight_and_exits_with_0(stack: Stack) -> None:
    with stack.serve() as service, closing(stack.connect()) as kept:
        with psycopg.connect(stack.database.superuser_url) as holder, ThreadPoolExecutor(1) as pool:
            holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
            assert stack.ask("GET", "/lead/ready", connection=kept)[0] == 200
            waiting = pool.submit(stack.post, "in-flight")
            wait_for_lock(stack.database)
            service.send(signal.SIGTERM)
            # The master hears it first, then its worker.
            assert until(lambda: stack.ask("GET", "/lead/ready", connection=kept)[0] == 503)
            holder.rollback()
            assert waiting.result(10)[0] == 202, service.log
        kept.close()
        assert service.process.wait(25) == 0
    assert stack.count("intake_jobs") == 1


def test_a_request_that_waits_for_the_database_holds_up_no_other_of_its_process(stack: Stack) -> None:
    stack.settings["workers"] = "1"
    with stack.serve(), psycopg.connect(stack.database.superuser_url) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        waiting = pool.submit(stack.post)
        wait_for_lock(stack.database)
        assert stack.ask("GET", "/lead/openapi.json")[0] == 200
        assert not waiting.done()
        holder.rollback()
        assert waiting.result(10)[0] == 202


def test_a_revoked_key_stops_and_a_new_one_works_without_a_restart(stack: Stack) -> None:
    with stack.serve():
        assert stack.post()[0] == 202
        other, line = api_key.mint("wordpress", frozenset({"intake"}), None)
        (stack.directory / "keys").write_text(line + "\n")
        assert until(lambda: stack.post()[0] == 401, 5)
        stack.key = other
        assert until(lambda: stack.post()[0] == 202, 5)


def test_metrics_add_up_over_all_processes(stack: Stack) -> None:
    with stack.serve():
        assert stack.post_many(160) == [202] * 160
        with closing(stack.connect()) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
    assert 'leadgen_accepted_total{outcome="new"} 160.0' in text
    assert "leadgen_backlog 160.0" in text


def kill_children(pid: int) -> None:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


def disturb_stop(server: EmbeddedRedis) -> None:
    server.stop()


def disturb_freeze(server: EmbeddedRedis) -> None:
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)


@pytest.mark.parametrize("disturb", [disturb_stop, disturb_freeze])
def test_without_redis_every_post_is_accepted_and_the_sweeper_alone_makes_them_leads(
    tmp_path: Path,
    database: Database,
    own_redis: Callable[[], EmbeddedRedis],
    disturb: Callable[[EmbeddedRedis], None],
) -> None:
    redis_server = own_redis()
    stack = make_stack(tmp_path, database, redis_server.url)
    with stack.serve(), stack.run("sweep"):
        disturb(redis_server)
        try:
            assert stack.post_many(POSTS) == [202] * POSTS
            assert until(lambda: stack.count("leads") == POSTS, 5)
        finally:
            if redis_server.pid:
                os.kill(redis_server.pid, signal.SIGCONT)
    assert stack.count("intake_queue") == 0


def test_without_a_worker_every_post_is_accepted_and_the_worker_catches_up(stack: Stack) -> None:
    with stack.serve():
        assert stack.post_many(POSTS) == [202] * POSTS
        assert stack.count("leads") == 0
        with stack.run("worker"):
            assert until(lambda: stack.count("leads") == POSTS, 15)


def test_everything_killed_under_load_loses_no_acknowledged_lead(
    stack: Stack, own_redis: Callable[[], EmbeddedRedis]
) -> None:
    """The client keeps its own ledger; what it was told 202 for is a lead, once, when all is up again."""
    acknowledged: list[str] = []
    stopping = threading.Event()
    redis_server = own_redis()
    stack.settings["redis_url"] = redis_server.url

    def keep_posting() -> None:
        while not stopping.is_set():
            key = str(uuid4())
            try:
                if stack.post(key)[0] == 202:
                    acknowledged.append(key)
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)

    clients = [threading.Thread(target=keep_posting) for _ in range(8)]
    with stack.serve() as serve, stack.run("worker") as worker, stack.run("sweep") as sweep:
        for client in clients:
            client.start()
        assert until(lambda: len(acknowledged) > 300, 20)
        assert redis_server.pid
        os.kill(redis_server.pid, signal.SIGKILL)
        for service in (worker, sweep):
            service.send(signal.SIGKILL)
        kill_children(serve.process.pid)
        serve.send(signal.SIGKILL)
        stopping.set()
        for client in clients:
            client.join()
    with ExitStack() as running:
        running.enter_context(stack.serve())
        running.enter_context(stack.run("sweep"))
        assert until(lambda: stack.count("intake_queue") == 0, 15)
    with psycopg.connect(stack.database.superuser_url) as connection:
        leads = [key for (key,) in connection.execute("SELECT idempotency_key FROM app.leads")]
    assert len(leads) == len(set(leads)) == stack.count("intake_jobs")
    assert set(acknowledged) <= set(leads)


def test_logs_carry_ids_and_no_personal_data_no_key_and_no_password(stack: Stack) -> None:
    with stack.serve() as service, stack.run("worker") as worker, stack.run("sweep") as sweep:
        status, document = stack.post("k")
        assert status == 202
        stack.ask("POST", "/lead/intake", json.dumps(LEAD | {"Ann": "Example"}).encode())
        assert until(lambda: stack.count("leads") == 1)
        written = service.log + worker.log + sweep.log
    assert document["intake_id"] in written
    assert document["request_id"] in written
    for line in service.log.splitlines():
        json.loads(line)
    password = psycopg.conninfo.conninfo_to_dict(stack.database.app_url)["password"]
    for secret in ("Ann", "ann@example.com", "Austin", stack.key, str(password)):
        assert secret not in written
