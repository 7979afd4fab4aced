"""The current request: Flask's own, with an id and a start time."""

from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias, cast
from uuid import UUID

from flask import Request
from flask.globals import request_ctx

from leadgen.domain.intake_id import uuid7

Environ: TypeAlias = dict[str, Any]  # of one request, from WSGI
REFUSAL: Final = "leadgen.refusal"  # its key there


class Refusal(NamedTuple):
    """Why a submission is refused, with the start (perf_counter) and the id of its request."""

    reason: Exception
    started: float
    request_id: UUID


class NamedRequest(Request):
    """`id` goes to the client and into the log."""

    def __init__(self, environ: Environ, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - werkzeug's own
        refusal: Refusal | None = environ.get(REFUSAL)
        self.started = refusal.started if refusal else perf_counter()
        self.id = refusal.request_id if refusal else uuid7()
        self.refusal = refusal and refusal.reason
        super().__init__(environ, *args, **kwargs)


def this_request() -> NamedRequest:
    """Return the request object itself: Flask's `request` proxy looks it up on every attribute access."""
    return cast("NamedRequest", request_ctx.request)


def common_headers(request_id: UUID) -> list[tuple[str, str]]:
    """The headers of every response, unless it sets them itself."""
    return [
        ("X-Request-Id", str(request_id)),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
