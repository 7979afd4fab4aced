"""The catalogue of every error a client can get, and its response as problem+json (RFC 9457)."""

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from leadgen.api.this_request import Environ, key_id_of, this_request
from leadgen.errors import CommitsFail, DatabaseUnavailable, IdempotencyKeyHeld, UnfitSchema, UnsafeDurability
from leadgen.log import event

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_UNAVAILABLE_SECONDS: Final = 5
_RETRY_OUTAGE_SECONDS: Final = range(5, 16)  # spread, so that not everyone is back at once after an outage
_RETRY_HELD_SECONDS: Final = 1

_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of error: what it means, and what the client's developer should do. `code` is contract v1's word."""

    slug: str
    status: int
    code: str
    title: str
    meaning: str
    remedy: str


CATALOGUE: Final[Mapping[str, ProblemType]] = {
    kind.slug: kind
    for kind in (
        ProblemType(
            "bad-request",
            400,
            "BAD_REQUEST",
            "The request cannot be read",
            "The request was cut off, or is not valid HTTP.",
            "Send the complete request again.",
        ),
        ProblemType(
            "malformed-json",
            400,
            "BAD_REQUEST",
            "The body is not acceptable JSON",
            "The body is not one JSON object in UTF-8, or it contains something ambiguous: a duplicate key, a "
            "number that is not finite or does not fit in 64 bits, or more than 32 levels of nesting.",
            "Build the body with a JSON library instead of by hand; `detail` says what was found.",
        ),
        ProblemType(
            "malformed-idempotency-key",
            400,
            "BAD_REQUEST",
            "The Idempotency-Key header is malformed",
            "The key is not 1 to 255 visible ASCII characters without a comma, or there are two of them.",
            "Use a UUID: generate one for each submission and keep it for the retries.",
        ),
        ProblemType(
            "unauthorized",
            401,
            "UNAUTHORIZED",
            "No valid API key",
            "The request has no API key, or one that is mistyped, unknown, expired or revoked. The response "
            "deliberately does not say which.",
            "Send `X-API-Key: <key>` or `Authorization: Bearer <key>`. If that does not help, ask the operator "
            "for a new key.",
        ),
        ProblemType(
            "missing-scope",
            403,
            "FORBIDDEN",
            "The API key lacks the scope",
            "The key is valid, but does not allow this operation.",
            "Ask the operator for a key with the scope that `detail` names.",
        ),
        ProblemType(
            "not-encrypted",
            403,
            "FORBIDDEN",
            "The request was not encrypted",
            "The request came over `http`, so others could read its API key and content in transit.",
            "Ask the operator to replace this key, and send requests over `https`.",
        ),
        ProblemType(
            "from-another-site",
            403,
            "FORBIDDEN",
            "The request comes from another site",
            "A page of another host sent its form to the address that is for our own site.",
            "Send it from your server to `/api/lead/intake`, with an API key of your own.",
        ),
        ProblemType(
            "not-found",
            404,
            "NOT_FOUND",
            "Not found",
            "The address is wrong, or the submission belongs to another client.",
            "Use the address from the `Location` header of the 202 response, with a key of the same client.",
        ),
        ProblemType(
            "method-not-allowed",
            405,
            "METHOD_NOT_ALLOWED",
            "This address does not support this method",
            "The address exists, but does not support this method.",
            "Use one of the methods in the `Allow` header.",
        ),
        ProblemType(
            "idempotency-key-in-use",
            409,
            "IDEMPOTENCY_IN_PROGRESS",
            "The first request with this key is still being written",
            "Another request with the same Idempotency-Key has not finished yet.",
            "Wait the number of seconds in `Retry-After`, then send the same request again.",
        ),
        ProblemType(
            "idempotency-key-reused",
            409,
            "IDEMPOTENCY_CONFLICT",
            "The Idempotency-Key belongs to another submission",
            "This key was already used with a different body. Waiting does not help: there is no `Retry-After`.",
            "Use a new key for each submission; reuse a key only to send exactly the same body again.",
        ),
        ProblemType(
            "submission-erased",
            410,
            "GONE",
            "The submission with this key was erased",
            "The person who sent it had their data erased. Nothing of this request is stored.",
            "Delete your copy of the submission. What the person sends after that needs a key of its own.",
        ),
        ProblemType(
            "body-too-large",
            413,
            "TOO_LARGE",
            "The body is too large",
            "The body is larger than 64 KiB.",
            "Shorten it; `notes` keeps 5,000 characters.",
        ),
        ProblemType(
            "unsupported-media-type",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "The body is not declared as JSON",
            "The request's Content-Type is not `application/json` in UTF-8, or its body is compressed.",
            "Send `Content-Type: application/json` and no Content-Encoding.",
        ),
        ProblemType(
            "validation-failed",
            422,
            "VALIDATION_ERROR",
            "The submission is not valid",
            "The submission lacks what a person needs to answer it: a name, an email address or a phone number, a "
            "state or a service. With `Prefer: handling=strict` also anything unknown or of the wrong kind.",
            "Fix each entry in `errors`: it has a `pointer` to the `field`, a `code` and a `detail`. "
            "You can use the same Idempotency-Key again.",
        ),
        ProblemType(
            "outside-service-area",
            422,
            "OUTSIDE_SERVICE_AREA",
            "The state is not served",
            "We do not serve this state yet.",
            "Show the person the states in `served_states`.",
        ),
        ProblemType(
            "too-many-requests",
            429,
            "RATE_LIMITED",
            "Too many requests",
            "The client sends more requests than it is allowed to.",
            "Wait the number of seconds in `Retry-After`, then send the same request again.",
        ),
        ProblemType(
            "internal-error",
            500,
            "INTERNAL",
            "Something went wrong on our side",
            "The service failed. The submission may or may not have been stored.",
            "Send the same request again with the same Idempotency-Key. If the error persists, give the operator "
            "the `request_id`.",
        ),
        ProblemType(
            "unavailable",
            503,
            "QUEUE_UNAVAILABLE",
            "The service cannot store submissions now",
            "The database did not commit in time. The submission may or may not have been stored.",
            "Wait the number of seconds in `Retry-After`, then send the same request again with the same "
            "Idempotency-Key.",
        ),
    )
}

# Types for errors raised by Flask and werkzeug; any other 4xx is a bad request, any other 5xx is our fault.
_BY_STATUS: Final = {
    401: "unauthorized",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
    429: "too-many-requests",
    503: "unavailable",
}


class Problem(Exception):
    """An error response: a type from the catalogue, the details of this case, and extension members."""

    def __init__(
        self,
        slug: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extensions: object,
    ) -> None:
        self.kind = CATALOGUE[slug]
        self.detail = detail or self.kind.meaning
        self.headers = dict(headers or {})
        self.extensions = extensions
        super().__init__(f"{slug}: {self.detail}")


def type_url(public_url: str, slug: str) -> str:
    """Return the `type` of a problem, which is the address of its page."""
    return f"{public_url}/problems/{slug}"


def register(app: Flask, public_url: str) -> None:
    """Answer every error of the app with a problem, never with a redirect or an HTML page."""
    # Otherwise Flask answers //lead/intake with an HTML redirect, on which many clients drop the body.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False

    def answer_problem(problem: Problem) -> Response:
        return _response(problem, public_url)

    def answer_any(error: Exception) -> Response:
        return _response(_as_problem(error), public_url)

    app.register_error_handler(Problem, answer_problem)
    app.register_error_handler(Exception, answer_any)


def _as_problem(error: Exception) -> Problem:
    if isinstance(error, HTTPException):
        return _from_http(error)
    if isinstance(error, IdempotencyKeyHeld):
        return Problem("idempotency-key-in-use", headers={"Retry-After": str(_RETRY_HELD_SECONDS)})
    if isinstance(error, DatabaseUnavailable | UnsafeDurability | UnfitSchema):
        event(_logger, "unavailable", level=logging.WARNING, what=error.what, request_id=_request_id())
        if isinstance(error, CommitsFail):
            return unavailable(after=secrets.choice(_RETRY_OUTAGE_SECONDS))
        return unavailable()
    event(_logger, "internal_error", level=logging.ERROR, error=error, request_id=_request_id())
    return Problem("internal-error")


def unavailable(detail: str | None = None, *, after: int = _RETRY_UNAVAILABLE_SECONDS) -> Problem:
    """Return a 503 that says when to retry."""
    return Problem("unavailable", detail, headers={"Retry-After": str(after)})


def too_many(wait_seconds: int) -> Problem:
    """Return a 429 that says when to retry."""
    return Problem("too-many-requests", headers={"Retry-After": str(wait_seconds)})


def _from_http(error: HTTPException) -> Problem:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    other = "bad-request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal-error"
    slug = _BY_STATUS.get(status, other)
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return Problem(slug, headers=headers)


def _response(problem: Problem, public_url: str) -> Response:
    body = answer(problem, public_url, this_request().environ, _request_id())
    return Response(body, problem.kind.status, problem.headers, mimetype=MEDIA_TYPE)


def answer(problem: Problem, public_url: str, environ: Environ, request_id: str) -> str:
    """Log the refusal, and return the body of its answer."""
    event(_logger, "refused", problem=problem.kind.slug, request_id=request_id, key_id=key_id_of(environ))
    return json.dumps(document(problem, public_url, request_id)) + "\n"


def document(problem: Problem, public_url: str, request_id: str) -> dict[str, object]:
    """Return the members of a problem as they are sent."""
    return {
        "type": type_url(public_url, problem.kind.slug),
        "title": problem.kind.title,
        "status": problem.kind.status,
        "code": problem.kind.code,
        "detail": problem.detail,
        "request_id": request_id,
        **problem.extensions,
    }


def _request_id() -> str:
    return this_request().id
