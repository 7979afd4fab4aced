"""The request body: bounded, declared as JSON, and read from the wire even when it is rejected."""

import time
from typing import IO, Any, Final, cast

from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from leadgen.api import strict_json
from leadgen.api.problems import Problem
from leadgen.api.this_request import Environ

MOST_BYTES: Final = 64 * 1024

# Larger than any honest mistake, and no longer than a worker can spare.
_DISCARD_MOST_BYTES: Final = 32 * 1024 * 1024
_DISCARD_MOST_SECONDS: Final = 5.0
_DISCARD_STEP_BYTES: Final = 64 * 1024


def parse(environ: Environ) -> dict[str, Any]:
    """Return the JSON object in the request body. Raises Problem: 400, 413 or 415."""
    _check_media_type(environ)
    try:
        return strict_json.parse_object(_read(environ))
    except strict_json.NotStrictJson as error:
        raise Problem("malformed-json", str(error)) from None


def discard_rest(environ: Environ) -> None:
    """Read the rest of the body before answering with an error.

    A server that closes a connection with unread bytes resets it, and the client never sees the error.
    """
    stream = _stream(environ)
    left = _DISCARD_MOST_BYTES
    until = time.monotonic() + _DISCARD_MOST_SECONDS
    try:
        while left > 0 and time.monotonic() < until:
            step = len(stream.read(_DISCARD_STEP_BYTES))
            if not step:
                return
            left -= step
    except Exception:  # noqa: BLE001 - each server has its own exceptions for a client that has disconnected
        return


def _check_media_type(environ: Environ) -> None:
    if environ.get("HTTP_CONTENT_ENCODING", "") not in {"", "identity"}:
        raise Problem("unsupported-media-type", "The body is compressed: send it without Content-Encoding.")
    media_type, parameters = parse_options_header(environ.get("CONTENT_TYPE"))
    charset = parameters.get("charset", "utf-8").lower()
    if media_type.lower() != "application/json" or charset not in {"utf-8", "utf8"}:
        raise Problem("unsupported-media-type", "Content-Type must be application/json, in UTF-8.")


def _read(environ: Environ) -> bytes:
    declared = get_content_length(environ)
    if declared is not None and declared > MOST_BYTES:
        raise Problem("body-too-large")
    try:
        body = _stream(environ).read(MOST_BYTES + 1 if declared is None else declared)
    except Exception as error:  # each server has its own exceptions
        raise Problem("bad-request", "The body was cut off, or took too long.") from error
    if len(body) > MOST_BYTES:
        raise Problem("body-too-large")
    if declared is not None and len(body) < declared:
        raise Problem("bad-request", "The body is shorter than its Content-Length.")
    return body


def _stream(environ: Environ) -> IO[bytes]:
    """The server's own stream, which ends with the body. Flask's hides the rest of a body that is too large."""
    return cast("IO[bytes]", environ["wsgi.input"])
