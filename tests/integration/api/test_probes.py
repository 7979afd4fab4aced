"""Readiness, health and metrics, on a real database."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
from flask import Flask

from leadgen.api.app import create_app
from leadgen.api.services import services_of
from leadgen.domain import api_key
from leadgen.store import migrations
from leadgen.store.connection import connect
from leadgen.store.heartbeats import beat
from leadgen.store.intakes import dry_write
from leadgen.store.migrations import Migration, shipped
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, Keys, assert_problem, make_config, rows
from tests.integration.locks import count_waiters
from tests.integration.service import until
from tests.integration.stopwatch import quickest, took


def test_ready_writes_and_health_shows_what_is_missing(caller: Caller, database: Database) -> None:
    caller.post()
    assert caller.get("/lead/ready").status_code == 200
    assert rows(database, "SELECT service FROM app.heartbeats") == [("api",)]
    health = caller.get("/lead/health")
    assert health.status_code == 200
    body = health.get_json()
    assert body["dependencies"] == {
        "postgres": "ok",
        "redis": "ok",
        "worker": "ok",
        "sweeper": "down",
        "api_keys": "ok",
    }
    assert (body["status"], body["backlog"], body["dead"]) == ("degraded", 1, 0)


def test_through_the_edge_health_has_only_what_contract_v1_has(app: Flask, caller: Caller) -> None:
    inside = caller.get("/lead/health").get_json()
    answer = app.test_client().get("/lead/health", headers={"X-Forwarded-For": "203.0.113.7"})
    assert (answer.status_code, set(answer.get_json())) == (
        200,
        {"status", "service", "version", "queue", "db", "time_utc"},
    )
    assert answer.get_json()["status"] == inside["status"] == "degraded"
    assert {"release", "dependencies", "fault", "backlog", "oldest_seconds", "dead"} <= set(inside)


def test_ready_is_refused_during_shutdown(caller: Caller, app: Flask) -> None:
    services_of(app).stopping = True
    answer = caller.get("/lead/ready")
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]


def resting_intake(caller: Caller, database: Database) -> None:
    """One that failed a while ago and is to be tried again in an hour."""
    caller.post()
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE app.intake_queue SET attempts = 3, available_at = now() + interval '1 hour'")
        connection.execute("ALTER TABLE app.intake_jobs DISABLE TRIGGER ALL")
        connection.execute("UPDATE app.intake_jobs SET created_at = now() - interval '1 hour'")


def beat_of_the_sweeper(database: Database) -> None:
    with connect(database.api_url, "tests") as connection:
        beat(connection, "sweeper", "tests")


def test_an_intake_that_rests_for_its_next_attempt_makes_no_health_degraded(
    caller: Caller, database: Database
) -> None:
    beat_of_the_sweeper(database)
    resting_intake(caller, database)
    health = caller.get("/lead/health").get_json()
    assert (health["status"], health["backlog"]) == ("ok", 1)
    assert health["oldest_seconds"] > 3_000


def test_an_intake_that_is_not_drained_makes_health_degraded(caller: Caller, database: Database) -> None:
    beat_of_the_sweeper(database)
    caller.post()
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE app.intake_queue SET available_at = now() - interval '11 seconds'")
    health = caller.get("/lead/health").get_json()
    assert set(health["dependencies"].values()) == {"ok"}
    assert health["status"] == "degraded"


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE app.heartbeats", "REVOKE ALL ON app.heartbeats, app.intake_queue FROM motorcade_api"],
)
def test_health_and_metrics_answer_on_a_schema_that_is_not_ours_and_readiness_is_refused(
    caller: Caller, database: Database, statement: str
) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(statement)
    health = caller.get("/lead/health")
    assert (health.status_code, health.get_json()["dependencies"]["postgres"]) == (200, "degraded")
    assert_problem(caller.get("/lead/ready"), 503, "unavailable")
    metrics = caller.get("/metrics")
    assert metrics.status_code == 200
    assert "leadgen_backlog " not in metrics.text


@pytest.mark.parametrize(("stage", "status"), [("pre", 503), ("post", 200)])
def test_a_pending_migration_is_an_obstacle_only_if_this_release_needs_it(
    database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch, stage: str, status: int
) -> None:
    later = Migration(99, stage, "20990101_01_later", "SELECT 1")
    monkeypatch.setattr(migrations, "shipped", lambda: [*shipped(), later])
    app = create_app(make_config(database, keys), CountingDoorbell())
    caller = Caller(app, keys.of["wordpress"])
    assert caller.post().status_code == 202, "what can be stored is accepted all the same"
    assert caller.get("/lead/ready").status_code == status
    health = caller.get("/lead/health").get_json()
    assert (health["dependencies"]["postgres"], health["backlog"]) == ("ok" if status == 200 else "degraded", 1)
    services_of(app).close()


def refusing_trigger(database: Database, sqlstate: str) -> None:
    """As if PostgreSQL itself refused each new intake with this SQLSTATE."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON app.intake_jobs EXECUTE FUNCTION refuse()")


@pytest.mark.parametrize(
    ("sqlstate", "fault", "detail"),
    [
        ("53100", "disk full", "The disk of PostgreSQL's data is full."),
        ("P0001", "statement rejected", "PostgreSQL rejects a statement of this release."),
    ],
)
def test_what_stops_a_new_intake_stops_readiness_and_health_names_it(
    caller: Caller, database: Database, sqlstate: str, fault: str, detail: str
) -> None:
    refusing_trigger(database, sqlstate)
    assert assert_problem(caller.get("/lead/ready"), 503, "unavailable")["detail"] == detail
    health = caller.get("/lead/health").get_json()
    assert (health["status"], health["fault"]) == ("degraded", fault)
    assert health["dependencies"]["postgres"] == "degraded"
    assert health["backlog"] == 0


def test_a_locked_table_makes_the_process_unready_until_it_is_free(caller: Caller, database: Database) -> None:
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        problem = assert_problem(caller.get("/lead/ready"), 503, "unavailable")
        assert problem["detail"] == "A table is locked for too long."
        assert caller.get("/lead/health").get_json()["fault"] == "table locked"
    assert until(lambda: caller.get("/lead/ready").status_code == 200)


def test_a_probe_leaves_no_intake(caller: Caller, database: Database) -> None:
    assert caller.get("/lead/ready").status_code == 200
    assert rows(database, "SELECT FROM app.intake_jobs UNION ALL SELECT FROM app.intake_queue") == []


def test_a_probe_asks_for_new_space_on_the_disk(database: Database) -> None:
    """A page may have room for one more row when the disk has none: only a file that grows shows that."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(f"ALTER ROLE motorcade_api IN DATABASE {database.name} SET temp_file_limit = 0")
    with connect(database.api_url, "tests") as fresh, pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
        dry_write(fresh)


def test_many_probes_share_an_answer_and_leave_the_connections_to_submissions(
    caller: Caller, database: Database
) -> None:
    """The probe waits for a lock here: without sharing, four of them would hold every connection of the pool."""
    location = caller.post().headers["Location"]
    with psycopg.connect(database.superuser_url) as holder, ThreadPoolExecutor(16) as pool:
        holder.execute("LOCK TABLE app.heartbeats IN ACCESS EXCLUSIVE MODE")
        paths = ["/lead/ready", "/lead/health"] * 8
        probes = [pool.submit(caller.get, path) for path in paths]
        assert until(lambda: count_waiters(database) == 1)

        def ask() -> None:
            assert caller.get(location).status_code == 200

        assert quickest(1, partial(took, ask)) < 1
        assert count_waiters(database) == 1
        holder.rollback()
        assert {probe.result(10).status_code for probe in probes} == {200}


def test_readiness_is_refused_at_once_when_stopping_though_it_was_given_just_now(
    caller: Caller, app: Flask
) -> None:
    assert caller.get("/lead/ready").status_code == 200
    services_of(app).stopping = True
    assert_problem(caller.get("/lead/ready"), 503, "unavailable")


def test_metrics_below_lead_are_the_same_and_need_a_key_of_their_scope(
    app: Flask, caller: Caller, keys: Keys
) -> None:
    key, line = api_key.mint("prometheus", frozenset({"metrics"}), None)
    with keys.file.open("a") as file:
        file.write(f"{line}\n")
    scraper = Caller(app, key)
    assert until(lambda: scraper.get("/lead/metrics").status_code == 200, 5)
    caller.post()
    answer = scraper.get("/lead/metrics")
    assert answer.content_type == scraper.get("/metrics").content_type
    assert "leadgen_backlog" in answer.text
    refused = assert_problem(caller.get("/lead/metrics"), 403, "missing-scope")
    assert "`metrics`" in refused["detail"]
    assert "leadgen_" not in app.test_client().get("/lead/metrics").text
    assert_problem(scraper.post(), 403, "missing-scope")


def test_metrics_count_what_was_accepted_and_tell_the_backlog(caller: Caller) -> None:
    caller.post()
    text = caller.get("/metrics").text
    assert 'leadgen_accepted_total{outcome="new"}' in text
    assert "\nleadgen_backlog 1.0" in text
