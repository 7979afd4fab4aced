"""Gunicorn's gevent worker, with our responses and limits for requests that never fully reach the application."""

import json
import logging
import socket
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Final, cast
from uuid import uuid4

import gevent
from flask import Flask
from gunicorn import util
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from leadgen.api.problems import MEDIA_TYPE, Problem, document
from leadgen.api.services import services_of
from leadgen.log import event

BODY_SECONDS: Final = 5.0  # nginx passes a body on when it is complete; a direct client sends at most 64 KiB
SEND_SECONDS: Final = 10.0  # to read an answer; without a limit, a client that never reads is kept for ever
LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 64 * 1024

_log: Final = logging.getLogger(__name__)


class IntakeWorker(GeventWorker):  # type: ignore[misc] # gunicorn ships no types
    """Limits the wait for a body, answers broken HTTP with problem+json, and is not ready once it is stopping."""

    wsgi: Flask | None = None  # gunicorn sets it late, and not at all if creating the application fails

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.wsgi is not None:
            services_of(self.wsgi).stopping = True
        super().handle_exit(sig, frame)

    def handle_request(self, listener: object, request: Any, client: Any, address: object) -> Any:  # noqa: ANN401 - gunicorn ships no types
        request.body.reader = reader = _TimedReader(request)
        client.settimeout(SEND_SECONDS)  # headers and bodies have their own, shorter limits
        try:
            answered = super().handle_request(listener, request, client, address)
        except TimeoutError:
            event(_log, "answer_not_read", level=logging.WARNING)
            raise StopIteration from None  # as gunicorn ends a connection that is not kept
        finally:
            if reader.broke:
                with suppress(OSError):
                    _linger(client)
        self.give_way()
        return answered

    def give_way(self) -> None:
        """Poll for arrived data, and let the connections that have some continue.

        A connection that always has its next request ready, and never waits for the database, would block the
        others for a second (measured): nothing else in its loop yields. Leads that arrive meanwhile also share a
        commit.
        """
        # Not sleep(0): gevent runs fifty of those before it polls again.
        hub = gevent.get_hub()
        with hub.loop.timer(0) as turn:
            hub.wait(turn)

    def run(self) -> None:
        try:
            super().run()
        finally:
            if self.wsgi is not None:
                services_of(self.wsgi).close()

    def handle_error(self, _request: object, client: Any, _address: object, error: BaseException) -> None:  # noqa: ANN401 - a socket, plain or gevent's
        problem = Problem("bad-request" if isinstance(error, ParseException) else "internal-error")
        request_id = str(uuid4())
        event(_log, "request_broken", level=logging.WARNING, kind=type(error).__name__, request_id=request_id)
        body = json.dumps(document(problem, self._public_url, request_id)).encode() + b"\n"
        head = (
            f"HTTP/1.1 {problem.kind.status} {problem.kind.title}\r\nConnection: close\r\n"
            f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n\r\n"
        )
        try:
            util.write(client, head.encode() + body)
            _linger(client)
        except OSError:
            event(_log, "answer_not_sent", level=logging.DEBUG, request_id=request_id)

    @property
    def _public_url(self) -> str:
        return services_of(self.wsgi).config.public_url if self.wsgi else ""


class _TimedReader:
    """Reads the body of a request; if it is late or cut off, the connection is closed after the response."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
        self._request = request
        self._reader = request.body.reader
        self._until = time.monotonic() + BODY_SECONDS
        self.broke = False

    def read(self, size: int) -> bytes:
        reader = self._reader
        if isinstance(reader, LengthReader) and reader.unreader.buf.tell() >= reader.length:
            return cast("bytes", reader.read(size))  # it arrived with the headers: no need to wait
        left = max(self._until - time.monotonic(), 0)
        try:
            with gevent.Timeout(left, TimeoutError("the body is late")):
                data: bytes = reader.read(size)
        except BaseException:
            self.broke = True
            self._request.force_close()
            raise
        return data


def _linger(client: Any) -> None:  # noqa: ANN401 - a socket, plain or gevent's
    """Briefly read what the client still sends: closing with unread bytes would discard the response."""
    client.shutdown(socket.SHUT_WR)
    left = LINGER_BYTES
    with gevent.Timeout(LINGER_SECONDS, exception=False):
        while left > 0 and (piece := client.recv(LINGER_BYTES)):
            left -= len(piece)
