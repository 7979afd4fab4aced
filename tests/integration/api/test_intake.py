"""The HTTP contract of the intake, on a real database."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask

from leadgen.api.services import services_of
from leadgen.store.connection import connect
from leadgen.store.queue import drain_batch
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, assert_problem, rows
from tests.integration.lead import LEAD


def test_a_202_is_in_the_outbox_as_sent_and_rings_the_doorbell(
    caller: Caller, app: Flask, database: Database
) -> None:
    answer = caller.post(key="k-1")
    assert answer.status_code == 202
    body = answer.get_json()
    assert list(body) == ["status", "intake_id", "request_id", "received_at_utc"]
    assert body["status"] == "accepted"
    assert answer.headers["Location"] == f"/lead/intake/{body['intake_id']}"
    stored = rows(
        database,
        "SELECT intake_id::text, x_request_id, client_id, idempotency_key, payload, answer FROM app.intake_jobs",
    )
    assert stored == [(body["intake_id"], body["request_id"], "wordpress", "k-1", LEAD, answer.text)]
    doorbell = services_of(app).doorbell
    assert isinstance(doorbell, CountingDoorbell)
    assert doorbell.rings == 1


def test_the_location_says_queued_then_done(caller: Caller, database: Database) -> None:
    location = caller.post().headers["Location"]
    queued = caller.get(location).get_json()
    assert (queued["status"], queued["finished_at_utc"]) == ("queued", None)
    with connect(database.app_url, "tests") as connection:
        assert drain_batch(connection) == 1
    done = caller.get(location).get_json()
    assert done["status"] == "done"
    assert done["finished_at_utc"] >= done["received_at_utc"]


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
    other["request"]["notes"] = "Something else."
    answer = caller.post(other, key="k")
    assert assert_problem(answer, 409, "idempotency-key-reused")["code"] == "IDEMPOTENCY_CONFLICT"
    assert "Retry-After" not in answer.headers
    assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(1,)]


def test_a_key_may_be_used_again_after_a_validation_error(caller: Caller) -> None:
    bad = json.loads(json.dumps(LEAD))
    del bad["contact"]["email"]
    assert_problem(caller.post(bad, key="k"), 422, "validation-failed")
    assert caller.post(key="k").status_code == 202


def test_a_state_outside_the_service_area_is_refused_with_the_served_states(caller: Caller) -> None:
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
