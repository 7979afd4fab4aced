"""The HTTP contract of the intake, on a real database."""

import copy
import json
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from leadgen.api.app import create_app
from leadgen.api.services import services_of
from leadgen.store import migrations
from leadgen.store.connection import connect
from leadgen.store.heartbeats import beat
from leadgen.store.migrations import Migration, shipped
from leadgen.store.queue import drain_batch
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, Keys, assert_problem, make_config, rows
from tests.integration.lead import LEAD
from tests.integration.locks import count_waiters
from tests.integration.service import until


def test_a_202_is_in_the_outbox_as_sent_and_rings_the_doorbell(
    caller: Caller, app: Flask, database: Database
) -> None:
    answer = caller.post(key="k-1")
    assert answer.status_code == 202
    body = answer.get_json()
    assert set(body) == {"intake_id", "request_id", "status"}
    assert body["status"] == "queued"
    assert answer.headers["Location"] == f"/lead/intake/{body['intake_id']}"
    stored = rows(
        database,
        "SELECT intake_id::text, request_id::text, client_id, idempotency_key, payload FROM app.intake_jobs",
    )
    assert stored == [(body["intake_id"], body["request_id"], "wordpress", "k-1", LEAD)]
    doorbell = services_of(app).doorbell
    assert isinstance(doorbell, CountingDoorbell)
    assert doorbell.rings == 1


def test_the_location_tells_queued_then_done(caller: Caller, database: Database) -> None:
    location = caller.post().headers["Location"]
    queued = caller.get(location).get_json()
    assert (queued["status"], queued["finished_at"]) == ("queued", None)
    with connect(database.app_url, "tests") as connection:
        assert drain_batch(connection) == 1
    done = caller.get(location).get_json()
    assert done["status"] == "done"
    assert done["finished_at"] >= done["received_at"]


def test_another_clients_submission_is_not_found(caller: Caller, partner: Caller) -> None:
    location = caller.post().headers["Location"]
    assert_problem(partner.get(location), 404, "not-found")


def test_a_repeated_key_gets_the_identical_202_even_when_the_lead_is_done(
    caller: Caller, database: Database
) -> None:
    first = caller.post(key="k")
    with connect(database.app_url, "tests") as connection:
        drain_batch(connection)
    again = caller.post(dict(reversed(LEAD.items())), key='"k"')
    assert (again.status_code, again.data, again.headers["Location"]) == (
        202,
        first.data,
        first.headers["Location"],
    )
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    assert rows(database, "SELECT count(*) FROM app.leads") == [(1,)]


def test_a_replay_outlives_a_change_of_the_rules(caller: Caller, app: Flask) -> None:
    first = caller.post(key="k")
    here = services_of(app)
    here.config = replace(here.config, service_area_states=frozenset({"OK"}))
    assert caller.post(key="k").data == first.data
    assert_problem(caller.post(key="fresh"), 422, "outside-service-area")


def test_a_key_with_another_payload_is_refused(caller: Caller, database: Database) -> None:
    caller.post(key="k")
    other = json.loads(json.dumps(LEAD))
    other["request"]["details"] = "Something else."
    assert_problem(caller.post(other, key="k"), 422, "idempotency-key-reused")
    assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(1,)]


def test_a_key_may_be_used_again_after_a_validation_error(caller: Caller) -> None:
    bad = json.loads(json.dumps(LEAD))
    del bad["contact"]["email"]
    assert_problem(caller.post(bad, key="k"), 422, "validation-failed")
    assert caller.post(key="k").status_code == 202


def test_a_state_outside_the_service_area_is_told_with_the_states_served(caller: Caller) -> None:
    away = json.loads(json.dumps(LEAD))
    away["request"]["location"]["state"] = "CA"
    assert assert_problem(caller.post(away), 422, "outside-service-area")["served_states"] == ["TX"]


def test_64_identical_posts_make_one_row_and_no_409(caller: Caller, database: Database) -> None:
    with ThreadPoolExecutor(64) as pool:
        answers = [future.result(20) for future in [pool.submit(caller.post, LEAD, "same") for _ in range(64)]]
    assert [answer.status_code for answer in answers] == [202] * 64
    assert len({answer.data for answer in answers}) == 1
    assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(1,)]


BAD_BODIES = {
    "an escaped NUL": b'{"contact": {"name": "a\\u0000b"}}',
    "a lone surrogate": b'{"contact": {"name": "\\ud800"}}',
    "NaN": b'{"headcount": NaN}',
    "Infinity": b'{"headcount": -Infinity}',
    "a number out of range": b'{"headcount": 1e999}',
    "a huge integer": b'{"headcount": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"contact": {}, "contact": {}}',
    "deep nesting": b"[" * 60_000,
    "bad UTF-8": b'{"contact": "\xff"}',
    "no object": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_without_exact_meaning_is_refused_as_malformed(
    caller: Caller, database: Database, body: bytes
) -> None:
    assert_problem(caller.post(body, key="k"), 400, "malformed-json")
    assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(0,)]


def test_other_bad_requests_get_their_own_problem(caller: Caller) -> None:
    assert_problem(caller.post(b" " * 70_000), 413, "body-too-large")
    assert_problem(caller.post(b"a=1", **{"Content-Type": "text/plain"}), 415, "unsupported-media-type")
    assert_problem(caller.post(key="with space"), 400, "malformed-idempotency-key")
    assert_problem(caller.get("/lead/intake"), 405, "method-not-allowed")
    assert_problem(caller.get("/nothing"), 404, "not-found")
    assert_problem(caller.get("/lead/intake/not-a-uuid"), 404, "not-found")
    caller.key = "mcl_none"
    assert_problem(caller.post(), 401, "unauthorized")


def test_every_problem_type_resolves_to_a_page(caller: Caller) -> None:
    document = caller.post(b"{").get_json()
    page = caller.get(document["type"])
    assert (page.status_code, page.mimetype) == (200, "text/html")


def test_ready_writes_and_health_tells_what_is_missing(caller: Caller, database: Database) -> None:
    assert caller.get("/lead/ready").status_code == 200
    assert rows(database, "SELECT service FROM app.heartbeats") == [("api",)]
    caller.post()
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
    with connect(database.app_url, "tests") as connection:
        beat(connection, "sweeper", "tests")


def test_an_intake_that_rests_for_its_next_attempt_makes_no_health_degraded(
    caller: Caller, database: Database
) -> None:
    beat_of_the_sweeper(database)
    resting_intake(caller, database)
    health = caller.get("/lead/health").get_json()
    assert (health["status"], health["backlog"]) == ("ok", 1)
    assert health["oldest_seconds"] > 3_000


def test_an_intake_that_nobody_takes_makes_health_degraded(caller: Caller, database: Database) -> None:
    beat_of_the_sweeper(database)
    caller.post()
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE app.intake_queue SET available_at = now() - interval '11 seconds'")
    health = caller.get("/lead/health").get_json()
    assert set(health["dependencies"].values()) == {"ok"}
    assert health["status"] == "degraded"


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE app.heartbeats", "REVOKE ALL ON app.heartbeats, app.intake_queue FROM motorcade_app"],
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


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("DROP SCHEMA app CASCADE", "42P01"),
        ("DROP TABLE app.intake_queue", "42P01"),
        ("ALTER TABLE app.intake_jobs DROP COLUMN payload", "42703"),
        ("REVOKE INSERT ON app.intake_jobs FROM motorcade_app", "42501"),
        ("REVOKE USAGE ON SCHEMA app FROM motorcade_app", "42501"),
    ],
)
def test_a_schema_that_lacks_something_is_a_503_at_once_that_the_log_explains(
    caller: Caller, database: Database, statement: str, sqlstate: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(statement)
        connection.commit()
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(timed, partial(caller.post, key=f"k-{number}"), 3) for number in range(8)]
        for answer in [future.result() for future in answers]:
            told = assert_problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert not re.search("app|table|schema|SQLSTATE", told["detail"])
    whats = [
        vars(record)["leadgen_fields"]["what"] for record in caplog.records if record.message == "unavailable"
    ]
    assert whats == [
        f"the schema lacks a table, a column or a right that this release needs (SQLSTATE {sqlstate})"
    ] * len(answers)
    assert "internal_error" not in caplog.messages
    assert_problem(caller.post(without_email(), "k"), 422, "validation-failed")


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


def test_many_probes_share_an_answer_and_leave_the_connections_to_submissions(
    caller: Caller, database: Database
) -> None:
    """The probes wait for a lock here: without sharing, four of them would hold every connection of the pool."""
    location = caller.post().headers["Location"]
    with psycopg.connect(database.superuser_url) as holder, ThreadPoolExecutor(16) as pool:
        holder.execute("LOCK TABLE app.heartbeats IN ACCESS EXCLUSIVE MODE")
        paths = ["/lead/ready", "/lead/health"] * 8
        probes = [pool.submit(caller.get, path) for path in paths]
        assert until(lambda: count_waiters(database) == 2)
        started = time.monotonic()
        assert caller.get(location).status_code == 200
        assert time.monotonic() - started < 1
        assert count_waiters(database) == 2
        holder.rollback()
        assert {probe.result(10).status_code for probe in probes} == {200}


def test_readiness_is_refused_at_once_when_stopping_though_it_was_given_just_now(
    caller: Caller, app: Flask
) -> None:
    assert caller.get("/lead/ready").status_code == 200
    services_of(app).stopping = True
    assert_problem(caller.get("/lead/ready"), 503, "unavailable")


def test_metrics_count_what_was_accepted_and_tell_the_backlog(caller: Caller) -> None:
    caller.post()
    text = caller.get("/metrics").text
    assert 'leadgen_accepted_total{outcome="new"}' in text
    assert "\nleadgen_backlog 1.0" in text


def timed(ask: Callable[[], TestResponse], seconds: float) -> TestResponse:
    started = time.monotonic()
    answer = ask()
    assert time.monotonic() - started < seconds
    return answer


def without_email() -> dict[str, Any]:
    bad = copy.deepcopy(LEAD)
    del bad["contact"]["email"]
    return bad


def test_a_database_that_takes_no_writes_is_a_503_and_health_still_answers(database: Database, keys: Keys) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    app = create_app(make_config(database, keys), CountingDoorbell())
    caller = Caller(app, keys.of["wordpress"])
    answer = timed(caller.post, 5.5)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]
    assert_problem(caller.get("/lead/ready"), 503, "unavailable")
    assert caller.get("/lead/health").status_code == 200
    services_of(app).close()


def test_a_database_that_is_frozen_holds_no_answer_up_for_more_than_six_seconds(
    own_postgres: Callable[..., Database], keys: Keys
) -> None:
    database = own_postgres()
    app = create_app(make_config(database, keys), CountingDoorbell())
    caller = Caller(app, keys.of["wordpress"])
    location = caller.post().headers["Location"]
    frozen = database.server.processes()
    for process in frozen:
        process.signal(signal.SIGSTOP)
    try:
        for ask in (caller.post, partial(caller.get, location), partial(caller.get, "/lead/ready")):
            assert_problem(timed(ask, 6), 503, "unavailable")
        health = timed(partial(caller.get, "/lead/health"), 6)
        assert (health.status_code, health.get_json()["dependencies"]["postgres"]) == (200, "down")
        assert timed(partial(caller.get, "/metrics"), 6).status_code == 200
        assert_problem(timed(partial(caller.post, without_email(), "k"), 6), 422, "validation-failed")
    finally:
        for process in frozen:
            process.signal(signal.SIGCONT)
    assert until(lambda: caller.post().status_code == 202)
    services_of(app).close()


def test_a_fault_of_the_submission_is_told_also_without_a_database(
    own_postgres: Callable[..., Database], keys: Keys
) -> None:
    database = own_postgres()
    app = create_app(make_config(database, keys), CountingDoorbell())
    database.server.stop()
    answer = Caller(app, keys.of["wordpress"]).post(without_email(), "k")
    assert assert_problem(answer, 422, "validation-failed")["errors"]
    services_of(app).close()


def test_a_database_that_is_away_is_a_503_within_its_time_and_health_still_answers(
    own_postgres: Callable[..., Database], keys: Keys
) -> None:
    database = own_postgres()
    app = create_app(make_config(database, keys), CountingDoorbell())
    caller = Caller(app, keys.of["wordpress"])
    assert caller.post().status_code == 202
    database.server.stop()
    answer = caller.post()
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]
    assert_problem(caller.get("/lead/ready"), 503, "unavailable")
    assert caller.get("/lead/health").get_json()["dependencies"]["postgres"] == "down"
    assert "leadgen_backlog " not in caller.get("/metrics").text
    database.server.start()
    assert caller.post().status_code == 202
    services_of(app).close()
