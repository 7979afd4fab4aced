"""The request that is handled at present: Flask's own, with its name and when it began."""

from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias, cast
from uuid import UUID

from flask import Request
from flask.globals import request_ctx

from leadgen.domain.intake_id import uuid7

Environ: TypeAlias = dict[str, Any]  # WSGI's, of one request
REFUSAL: Final = "leadgen.refusal"  # its place there


class Refusal(NamedTuple):
    """Why a submission is refused, and of which request: when it began by perf_counter, and its name."""

    reason: Exception
    started: float
    request_id: UUID


class NamedRequest(Request):
    """`id` is told to the client and to the log."""

    def __init__(self, environ: Environ, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - werkzeug's own
        refusal: Refusal | None = environ.get(REFUSAL)
        self.started = refusal.started if refusal else perf_counter()
        self.id = refusal.request_id if refusal else uuid7()
        self.refusal = refusal and refusal.reason
        super().__init__(environ, *args, **kwargs)


def this_request() -> NamedRequest:
    """Return the request itself: Flask's `request` looks for it again at each of its attributes."""
    return cast("NamedRequest", request_ctx.request)


def common_headers(request_id: UUID) -> list[tuple[str, str]]:
    """What every answer carries, unless it says otherwise itself."""
    return [
        ("X-Request-Id", str(request_id)),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
