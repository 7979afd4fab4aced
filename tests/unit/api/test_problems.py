"""Problems: every error of the app is one of the catalogue, in problem+json, with nothing of its cause."""

import json
import logging
from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask, abort, redirect
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestTimeout
from werkzeug.test import TestResponse

from leadgen.api.problems import CATALOGUE, Problem, register, type_url
from leadgen.api.this_request import NamedRequest, this_request
from leadgen.errors import CommitsFail, DatabaseUnavailable, IdempotencyKeyHeld, UnsafeDurability
from leadgen.log import JsonFormatter

SECRET = "maria.lopez@example.com"


def answer(view: Callable[[], ResponseReturnValue], method: str = "GET", path: str = "/here") -> TestResponse:
    app = Flask("test")
    app.request_class = NamedRequest
    register(app, "https://motorcade.vip/api/lead")
    app.add_url_rule("/here", "view", view)
    return app.test_client().open(path, method=method)


def raising(error: Exception) -> Callable[[], ResponseReturnValue]:
    def view() -> ResponseReturnValue:
        raise error

    return view


def slug_of(response: TestResponse) -> str:
    assert response.mimetype == "application/problem+json"
    problem = json.loads(response.data)
    kind = CATALOGUE[problem["type"].rpartition("/")[2]]
    assert problem["type"] == f"https://motorcade.vip/api/lead/problems/{kind.slug}"
    assert (problem["status"], problem["title"]) == (response.status_code, kind.title)
    assert response.status_code == kind.status
    assert problem["detail"]
    UUID(problem["request_id"])
    return kind.slug


@pytest.mark.parametrize("slug", CATALOGUE)
def test_a_problem_is_answered_with_its_own_words_status_headers_and_members(slug: str) -> None:
    problem = Problem(slug, "This time it was so.", headers={"Retry-After": "7"}, served_states=["TX"])
    response = answer(raising(problem))
    assert slug_of(response) == slug
    sent = json.loads(response.data)
    assert sent["detail"] == "This time it was so."
    assert sent["served_states"] == ["TX"]
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("error", "slug", "retry_after"),
    [
        (IdempotencyKeyHeld(), "idempotency-key-in-use", "1"),
        (DatabaseUnavailable(f"host db refused {SECRET}"), "unavailable", "5"),
        (UnsafeDurability("database", f"fsync = off {SECRET}", "turn it on"), "unavailable", "5"),
        (ValueError(SECRET), "internal-error", None),
        (RequestTimeout(SECRET), "bad-request", None),
    ],
)
def test_an_error_is_answered_without_its_words(error: Exception, slug: str, retry_after: str | None) -> None:
    response = answer(raising(error))
    assert slug_of(response) == slug
    assert SECRET.encode() not in response.data
    assert response.headers.get("Retry-After") == retry_after


def test_in_an_outage_callers_come_back_at_different_times() -> None:
    waits = {int(answer(raising(CommitsFail("no commit for 7 s"))).headers["Retry-After"]) for _ in range(200)}
    assert (min(waits), max(waits)) == (5, 15)


@pytest.mark.parametrize(
    ("status", "slug"),
    [
        (400, "bad-request"),
        (404, "not-found"),
        (413, "body-too-large"),
        (415, "unsupported-media-type"),
        (418, "bad-request"),
        (429, "too-many-requests"),
        (500, "internal-error"),
        (501, "internal-error"),
        (503, "unavailable"),
    ],
)
def test_what_flask_aborts_with_becomes_a_problem(status: int, slug: str) -> None:
    assert slug_of(answer(lambda: abort(status))) == slug


def test_an_unknown_address_is_a_problem() -> None:
    assert slug_of(answer(str, path="/nowhere")) == "not-found"


def test_a_wrong_method_gets_the_list_of_allowed_ones() -> None:
    response = answer(str, method="POST")
    assert slug_of(response) == "method-not-allowed"
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ["//here", "/here/", "/./here//"])
def test_an_untidy_address_is_never_answered_with_a_redirect(path: str) -> None:
    assert answer(lambda: "found", path=path).status_code in {200, 404}


def test_a_redirect_that_a_view_makes_is_left_alone() -> None:
    assert answer(lambda: redirect("/there")).status_code == 302


def test_the_request_id_is_the_one_that_the_request_was_given() -> None:
    names: list[str] = []

    def view() -> ResponseReturnValue:
        names.append(this_request().id)
        raise Problem("not-found")

    assert json.loads(answer(view).data)["request_id"] == names[0]


def test_an_unforeseen_error_is_logged_with_the_request_id_and_its_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        response = answer(raising(ValueError(SECRET)))
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    (line,) = lines
    assert line["request_id"] == json.loads(response.data)["request_id"]
    assert line["trace"][0] == "ValueError"
    assert SECRET not in json.dumps(lines)


def test_a_type_is_the_address_of_its_page() -> None:
    assert type_url("/lead", "not-found") == "/lead/problems/not-found"
