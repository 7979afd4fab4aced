"""The start of the API: what it refuses, and what it serves without before that is there."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from leadgen.api.metrics_dir import MEMORY, in_memory
from leadgen.api.probes import OBSTACLES, Obstacle
from leadgen.errors import DatabaseUnavailable, MigrationError, TooFewCopies, UnsafeDurability
from leadgen.store.migrations import migrate
from tests.conftest import Database, administer
from tests.integration.lead import LEAD
from tests.integration.service import Service, until
from tests.integration.stack import Stack, make_stack


@pytest.mark.parametrize(
    ("setting", "text", "logged"),
    [
        ("api_keys_file", "", "LEADGEN_API_KEYS_FILE is not set"),
        ("api_keys_file", "/nowhere/keys", "/nowhere/keys"),
        ("api_keys_file", "/dev/null", "it contains no key"),
        ("database_url", "mysql://u:secret-word@h/d", "LEADGEN_DATABASE_URL is not a URL of the form"),
        ("database_url", "postgresql://u:100%secret-word@127.0.0.1:1/d", "libpq cannot parse the database URL"),
        (
            "database_url",
            "postgresql://127.0.0.1:1/d?sslmod=secret-word",
            "libpq cannot parse the database URL",
        ),
        ("redis_url", "", "LEADGEN_REDIS_URL is not set"),
        ("workers", "many", "LEADGEN_WORKERS is not a whole number"),
        ("worker", "2", "LEADGEN_WORKER is not a known setting"),
    ],
)
def test_serve_refuses_a_bad_setting_with_one_message_that_says_what_to_do(
    stack: Stack, setting: str, text: str, logged: str
) -> None:
    stack.settings[setting] = text
    with stack.run("serve") as service:
        assert service.exit_code() == 1
        assert logged in service.log
        assert service.log.count("; ") >= 1
        assert "Traceback" not in service.log
        assert "secret-word" not in service.log


@pytest.mark.parametrize("url", ["postgresql://u:100%secret-word@h/d", "postgresql://h/d?sslmod=secret-word"])
def test_check_refuses_a_database_url_that_libpq_rejects_and_repeats_none_of_it(stack: Stack, url: str) -> None:
    stack.settings["database_url"] = url
    with stack.run("check") as service:
        assert service.exit_code() == 1
        assert service.log.count("libpq cannot parse the database URL") == 1
        assert "Traceback" not in service.log
        assert "secret-word" not in service.log
        assert "sslmod" not in service.log


@pytest.mark.parametrize("on", ["/dev/null", "a disk"])
def test_serve_keeps_its_metrics_in_memory_whatever_directory_it_is_given(
    stack: Stack, tmp_path: Path, on: str
) -> None:
    assert not in_memory(tmp_path)
    directory = tmp_path / "metrics" if on == "a disk" else Path(on)
    stack.settings["metrics_dir"] = str(directory)
    fallback = MEMORY / f"leadgen-metrics-{os.getuid()}-{stack.port}"
    with stack.serve() as service:
        assert stack.post()[0] == 202
        assert "metrics_dir_refused" in service.log
        assert list(fallback.glob("counter_*.db"))
        assert not directory.is_dir() or list(directory.iterdir()) == []
    shutil.rmtree(fallback)


def test_a_second_serve_on_a_busy_port_leaves_the_metrics_of_the_first(stack: Stack) -> None:
    def accepted() -> float:
        with urlopen(f"http://127.0.0.1:{stack.port}/metrics") as answer:
            found = re.search(r'leadgen_accepted_total{outcome="new"} ([0-9.]+)', answer.read().decode())
        return float(found[1]) if found else 0.0

    with stack.serve():
        for _ in range(16):
            assert stack.post()[0] == 202
        assert accepted() == 16
        with stack.run("serve") as second:
            assert second.exit_code() == 1
            assert "in use" in second.log
        assert accepted() == 16


def test_serve_leaves_a_metrics_directory_that_it_did_not_make_and_what_else_is_in_it(
    stack: Stack,
) -> None:
    kept = Path(stack.settings["metrics_dir"]) / "leads.db"
    stale = kept.with_name("counter_9999999.db")  # no process has that number
    kept.parent.mkdir()
    for file in (kept, stale):
        file.write_bytes(b"not a metric")
    before = kept.parent.stat().st_ino
    with stack.serve():
        assert (kept.parent.stat().st_ino, kept.exists(), stale.exists()) == (before, True, False)


def test_a_bad_line_in_the_keys_file_stops_neither_a_start_nor_the_successor_of_a_killed_worker(
    stack: Stack,
) -> None:
    with Path(stack.settings["api_keys_file"]).open("a") as file:
        file.write("mcl_pasted_by_mistake\n")
    with stack.serve() as service:
        booted = service.log.count("Booting worker")
        service.kill_children()
        assert until(lambda: service.log.count("Booting worker") == 2 * booted > 0)
        assert until(stack.answers)
        assert stack.post()[0] == 202
        health = stack.ask("GET", "/lead/health")[2]
        assert health["dependencies"]["api_keys"] == "degraded"
        with urlopen(f"http://127.0.0.1:{stack.port}/metrics") as answer:
            assert "\nleadgen_keys_file_faults 1.0" in answer.read().decode()
        assert "keys_line_refused" in service.log
        assert "pasted" not in service.log


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


def test_serve_waits_for_a_promised_standby(tmp_path: Path, database: Database, redis_url: str) -> None:
    stack = make_stack(tmp_path, database, redis_url)
    stack.settings["database_copies"] = "2"
    with stack.serve_anyhow() as service:
        assert_no_lead_is_taken(stack, OBSTACLES[TooFewCopies])
        (logged,) = logged_starts(service)
    assert logged.startswith("database: synchronous_standby_names is empty")
    assert logged.endswith("or set LEADGEN_DATABASE_COPIES=1 if one copy is enough")


def assert_no_lead_is_taken(stack: Stack, obstacle: Obstacle) -> None:
    """Health answers, readiness says what is wrong, and a submission gets a 503 with Retry-After."""
    health = stack.ask("GET", "/lead/health")[2]
    assert (health["status"], health["fault"]) == ("degraded", obstacle.fault)
    status, _, document = stack.ask("GET", "/lead/ready")
    assert (status, document["detail"]) == (503, obstacle.detail)
    status, headers, document = stack.ask("POST", "/lead/intake", json.dumps(LEAD).encode(), "early")
    assert (status, document["type"]) == (503, "/lead/problems/unavailable")
    assert int(headers["Retry-After"]) > 0
    assert "app." not in json.dumps(document)


def logged_starts(service: Service) -> list[str]:
    lines = [json.loads(line) for line in service.log.splitlines()]
    return [line["reason"] for line in lines if line["event"] == "started_without_database"]


@pytest.mark.alone("a lead is taken two seconds after the last migration")
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
        (logged,) = logged_starts(service)
    assert logged.startswith("database: lacks 20260126_01_wave1_leads, ")
    assert logged.endswith("; run `leadgen migrate`")
    assert "relation" not in service.log + sweep.log


@pytest.mark.alone("the server is found within five seconds")
def test_served_before_postgres_it_takes_leads_once_that_is_there_and_safe(
    tmp_path: Path, own_postgres: Callable[..., Database], redis_url: str
) -> None:
    """It comes back without fsync, which the start could not see: nothing is written until that is fixed."""
    stack = make_stack(tmp_path, own_postgres(), redis_url)
    server = stack.database.server
    administer(server, "ALTER SYSTEM SET fsync = off")
    server.stop()
    with stack.serve_anyhow() as service:
        assert_no_lead_is_taken(stack, OBSTACLES[DatabaseUnavailable])
        server.start()
        assert until(lambda: stack.ask("GET", "/lead/ready")[2]["detail"] == OBSTACLES[UnsafeDurability].detail, 5)
        for _ in range(20):
            assert stack.post()[0] == 503
        assert (stack.count("intake_jobs"), stack.count("heartbeats")) == (0, 0)
        administer(server, "ALTER SYSTEM RESET fsync")
        administer(server, "SELECT pg_reload_conf()")
        assert until(lambda: stack.post("late")[0] == 202, 5)
        assert until(stack.answers, 5)
        (logged,) = logged_starts(service)
    assert logged.startswith("database: PostgreSQL refused or lost the connection")
    assert stack.count("intake_jobs") == 1
