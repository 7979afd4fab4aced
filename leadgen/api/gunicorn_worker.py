"""Gunicorn's gevent worker, with our words and bounds for requests that never reach the application whole."""

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

BODY_SECONDS: Final = 5.0  # nginx hands a body over whole; who sends one directly sends 64 KiB at most
LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 64 * 1024

_log: Final = logging.getLogger(__name__)


class IntakeWorker(GeventWorker):  # type: ignore[misc] # gunicorn ships no types
    """Bounds the wait for a body, answers broken HTTP with problem+json, and is not ready once told to stop."""

    wsgi: Flask | None = None  # gunicorn sets it late, and not at all when the application cannot be made

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.wsgi is not None:
            services_of(self.wsgi).stopping = True
        super().handle_exit(sig, frame)

    def handle_request(self, listener: object, request: Any, client: Any, address: object) -> Any:  # noqa: ANN401 - gunicorn ships no types
        request.body.reader = reader = _TimedReader(request)
        try:
            answered = super().handle_request(listener, request, client, address)
        finally:
            if reader.broke:
                with suppress(OSError):
                    _linger(client)
        self.give_way()
        return answered

    def give_way(self) -> None:
        """Look for what has arrived, and let those go on for whom something did.

        A connection that always has its next request ready, and asks for what needs no database, would keep the
        others waiting for a second (measured): nothing else in its loop ever gives way. And leads that arrive
        meanwhile share a commit.
        """
        # Not sleep(0): gevent goes through fifty of those before it looks again.
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
    """Reads the body of a request; one that is late or breaks off ends the connection, after the answer."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
        self._request = request
        self._reader = request.body.reader
        self._until = time.monotonic() + BODY_SECONDS
        self.broke = False

    def read(self, size: int) -> bytes:
        reader = self._reader
        if isinstance(reader, LengthReader) and reader.unreader.buf.tell() >= reader.length:
            return cast("bytes", reader.read(size))  # it came with the headers: nothing to wait for
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
    """Read what the client still sends, for a moment: closing on unread bytes would reset the answer away."""
    client.shutdown(socket.SHUT_WR)
    left = LINGER_BYTES
    with gevent.Timeout(LINGER_SECONDS, exception=False):
        while left > 0 and (piece := client.recv(LINGER_BYTES)):
            left -= len(piece)
