"""The current request: Flask's own, with an id and a start time."""

import re
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias, cast

from flask import Request
from flask.globals import request_ctx

from leadgen.domain import api_key
from leadgen.domain.intake_id import uuid7

Environ: TypeAlias = dict[str, Any]  # of one request, from WSGI
_GIVEN: Final = re.compile(r"[!-~]{8,128}")
REFUSAL: Final = "leadgen.refusal"  # its key there


class Refusal(NamedTuple):
    """Why a submission is refused, with the start (perf_counter) and the id of its request."""

    reason: Exception
    started: float
    request_id: str


class NamedRequest(Request):
    """`id` goes to the client and into the log."""

    def __init__(self, environ: Environ, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - werkzeug's own
        refusal: Refusal | None = environ.get(REFUSAL)
        self.started = refusal.started if refusal else perf_counter()
        self.id = refusal.request_id if refusal else request_id_of(environ)
        self.refusal = refusal and refusal.reason
        super().__init__(environ, *args, **kwargs)


def this_request() -> NamedRequest:
    """Return the request object itself: Flask's `request` proxy looks it up on every attribute access."""
    return cast("NamedRequest", request_ctx.request)


def request_id_of(environ: Environ) -> str:
    """The id that the caller gave the request, if logs and headers can hold it; otherwise a new one."""
    given: str | None = environ.get("HTTP_X_REQUEST_ID")
    return given if given and _GIVEN.fullmatch(given) else str(uuid7())


def utc_text(moment: datetime) -> str:
    """As every answer writes a time: 2026-01-28T21:04:05.123456Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def key_id_of(environ: Environ) -> str | None:
    """The id of the API key in a request, for the log; the key may be wrong."""
    return api_key.key_id_in(environ.get("HTTP_X_API_KEY") or bearer_of(environ))


def bearer_of(environ: Environ) -> str:
    """The key in an Authorization header; empty without one."""
    scheme, _, key = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def common_headers(request_id: str) -> list[tuple[str, str]]:
    """The headers of every response, unless it sets them itself."""
    return [
        ("X-Request-Id", request_id),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
