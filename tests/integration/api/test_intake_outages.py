"""A database that is away, frozen, read-only or of another schema: each answer comes in time and says the same."""

import copy
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from leadgen.api.app import create_app
from leadgen.api.services import services_of
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, Keys, assert_problem, make_config
from tests.integration.lead import LEAD
from tests.integration.service import until
from tests.integration.stopwatch import quickest, took


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("DROP SCHEMA app CASCADE", "42P01"),
        ("DROP TABLE app.intake_queue", "42P01"),
        ("ALTER TABLE app.intake_jobs DROP COLUMN payload", "42703"),
        ("REVOKE INSERT ON app.intake_jobs FROM motorcade_api", "42501"),
        ("REVOKE USAGE ON SCHEMA app FROM motorcade_api", "42501"),
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
            problem = assert_problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert not re.search("app|table|schema|SQLSTATE", problem["detail"])
    whats = [
        vars(record)["leadgen_fields"]["what"] for record in caplog.records if record.message == "unavailable"
    ]
    assert whats == [
        f"the schema lacks a table, column or privilege that this release needs (SQLSTATE {sqlstate})"
    ] * len(answers)
    assert "internal_error" not in caplog.messages
    assert_problem(caller.post(without_email(), "k"), 422, "validation-failed")


def timed(ask: Callable[[], TestResponse], seconds: float) -> TestResponse:
    """The answer, which comes within so many seconds."""
    answers: list[TestResponse] = []
    assert quickest(seconds, partial(took, lambda: answers.append(ask()))) < seconds
    return answers[-1]


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


def test_a_fault_of_the_submission_is_reported_even_without_a_database(
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
