"""The request body: bounded, declared as JSON, and taken off the wire even when it is refused."""

import time
from http import HTTPStatus
from typing import Any, Final

from flask import Request, Response, request

from leadgen.api import strict_json
from leadgen.api.problems import Problem

MOST_BYTES: Final = 64 * 1024

# More than an honest mistake weighs, and no more time than a worker can spare.
_DISCARD_MOST_BYTES: Final = 32 * 1024 * 1024
_DISCARD_MOST_SECONDS: Final = 5.0
_DISCARD_STEP_BYTES: Final = 64 * 1024


def parse(request: Request) -> dict[str, Any]:
    """Return the JSON object that the request carries. Raises Problem: 400, 413 or 415."""
    _check_media_type(request)
    try:
        return strict_json.parse_object(_read(request))
    except strict_json.NotStrictJson as error:
        raise Problem("malformed-json", str(error)) from None


def discard_rest(response: Response) -> Response:
    """Read what is left of the body before an error is answered; an `after_request` function.

    A server that closes a connection with unread bytes resets it, and the client never sees why.
    """
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        _read_on(request)
    return response


def _check_media_type(request: Request) -> None:
    if request.content_encoding not in {None, "", "identity"}:
        raise Problem("unsupported-media-type", "The body is compressed: send it without Content-Encoding.")
    if request.content_type == "application/json":
        return
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in {"utf-8", "utf8"}:
        raise Problem("unsupported-media-type", "Content-Type has to be application/json, in UTF-8.")


def _read(request: Request) -> bytes:
    # The limit is kept here: behind Flask's own, what is left of a larger body could not be read any more.
    request.max_content_length = None
    declared = request.content_length
    if declared is not None and declared > MOST_BYTES:
        raise Problem("body-too-large")
    try:
        body = request.stream.read(MOST_BYTES + 1)
    except Exception as error:  # each server has its own kinds
        raise Problem("bad-request", "The body broke off, or took too long.") from error
    if len(body) > MOST_BYTES:
        raise Problem("body-too-large")
    if declared is not None and len(body) < declared:
        raise Problem("bad-request", "The body is shorter than its Content-Length.")
    return body


def _read_on(request: Request) -> None:
    request.max_content_length = None
    left = _DISCARD_MOST_BYTES
    until = time.monotonic() + _DISCARD_MOST_SECONDS
    try:
        while left > 0 and time.monotonic() < until:
            step = len(request.stream.read(_DISCARD_STEP_BYTES))
            if not step:
                return
            left -= step
    except Exception:  # noqa: BLE001 - each server has its own kinds for a client that is gone
        return
