"""The middleware in front of Flask: it answers what Flask would have answered, where Flask's own routes say so."""

import json
import logging

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from leadgen.api import intake, metrics
from leadgen.api.app import create_app
from leadgen.api.intake_middleware import ENDPOINT, PATHS, IntakeMiddleware
from leadgen.api.services import services_of
from leadgen.domain import api_key
from leadgen.log import JsonFormatter
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, Keys, make_config
from tests.integration.lead import LEAD

SPELLINGS = [
    *(
        "/lead/intake",
        "/lead/intake/",
        "/lead/intake//",
        "//lead/intake",
        "///lead/intake/",
        "/lead//intake",
        "/lead/intake/.",
    ),
    *("/LEAD/intake", "/lead/intakes", "/lead", "/", ""),
]


def endpoint(app: Flask, path: str) -> str | None:
    try:
        return str(app.url_map.bind("host").match(path, method="POST")[0])
    except HTTPException:
        return None


@pytest.mark.parametrize("path", SPELLINGS)
def test_it_meets_exactly_the_paths_that_flask_would_lead_to_the_view(app: Flask, path: str) -> None:
    assert (path.lstrip("/") in PATHS) == (endpoint(app, path) == ENDPOINT)


@pytest.mark.parametrize("path", ["/lead/intake", "/lead/intake/"])
def test_a_lead_is_accepted_at_each_of_its_paths(app: Flask, caller: Caller, path: str) -> None:
    headers = {"Authorization": f"Bearer {caller.key}"}
    answer = app.test_client().post(f"{path}?utm=1", json=LEAD, headers=headers)
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-Id"] == json.loads(answer.data)["request_id"]


def test_other_methods_are_flasks(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/lead/intake").status_code == 405
    assert client.options("/lead/intake").headers["X-Request-Id"]


def test_a_refusal_is_counted_once_and_named_alike_in_answer_and_log(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    def count() -> float:
        labels = {"endpoint": ENDPOINT, "status": "400"}
        return metrics.REGISTRY.get_sample_value("leadgen_requests_total", labels) or 0.0

    before = count()
    with caplog.at_level(logging.INFO):
        answer = caller.post(b"{")
    assert count() == before + 1
    (line,) = [json.loads(JsonFormatter().format(record)) for record in caplog.records if record.msg == "refused"]
    assert line["request_id"] == json.loads(answer.data)["request_id"] == answer.headers["X-Request-Id"]


def test_an_unexpected_fault_is_a_500_with_its_trace_in_the_log(
    caller: Caller, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(intake, "accept", broken)
    answer = caller.post()
    assert (answer.status_code, json.loads(answer.data)["type"]) == (500, "/lead/problems/internal-error")
    assert "ZeroDivisionError" in json.dumps(
        [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    )


def test_without_it_no_lead_is_accepted_unread(database: Database, keys: Keys) -> None:
    """The view alone refuses: a middleware that is left out must not look like an accepted lead."""
    made = create_app(make_config(database, keys), CountingDoorbell())
    assert isinstance(made.wsgi_app, IntakeMiddleware)
    del made.wsgi_app
    try:
        assert Caller(made, keys.of["wordpress"]).post().status_code == 404
    finally:
        services_of(made).close()


def test_each_log_line_of_a_submission_names_the_id_of_its_api_key(
    caller: Caller, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    key_id = keys.of["wordpress"].split("_")[1]
    unknown, _ = api_key.mint("wordpress", frozenset({"intake"}), None)
    with caplog.at_level(logging.INFO):
        assert [caller.post(key="k").status_code for _ in range(2)] == [202, 202]
        assert caller.post({}, key="other").status_code == 422
        assert caller.get("/lead/intake/01a1fd01-40f3-729c-86d2-b4c2d87cbe79").status_code == 404
        assert Caller(caller.app, unknown).post().status_code == 401
        assert Caller(caller.app, f"{unknown[:-1]}?").post().status_code == 401
        assert Caller(caller.app, "nonsense").post().status_code == 401
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    named = [(line["event"], line["key_id"]) for line in lines if "key_id" in line]
    refused = unknown.split("_")[1]
    assert named == [
        ("stored", key_id),
        ("replayed", key_id),
        ("refused", key_id),
        ("refused", key_id),
        ("refused", refused),
        ("refused", refused),
        ("refused", None),
    ]
    assert not any(secret in str(lines) for secret in (unknown.split("_")[2], keys.of["wordpress"].split("_")[2]))
