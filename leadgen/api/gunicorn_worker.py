"""Gunicorn's gevent worker, with our words for requests that never reach the application."""

import json
import logging
import socket
from types import FrameType
from typing import Any, Final
from uuid import uuid4

import gevent
from flask import Flask
from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from leadgen.api.problems import MEDIA_TYPE, Problem, document
from leadgen.api.services import services_of
from leadgen.log import event

LINGER_SECONDS: Final = 1.0
LINGER_BYTES: Final = 64 * 1024

_log: Final = logging.getLogger(__name__)


class IntakeWorker(GeventWorker):  # type: ignore[misc] # gunicorn ships no types
    """Answers broken HTTP with problem+json, and is not ready from the moment it is told to stop."""

    wsgi: Flask | None = None  # gunicorn sets it late, and not at all when the application cannot be made

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.wsgi is not None:
            services_of(self.wsgi).stopping = True
        super().handle_exit(sig, frame)

    def handle_request(self, *arguments: object) -> Any:  # noqa: ANN401 - gunicorn ships no types
        answered = super().handle_request(*arguments)
        # A connection that always has its next request ready, and asks for what needs no database, would keep
        # the others waiting for a second (measured): nothing else in its loop ever gives way.
        gevent.sleep(0)
        return answered

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


def _linger(client: Any) -> None:  # noqa: ANN401 - a socket, plain or gevent's
    """Read what the client still sends, for a moment: closing on unread bytes would reset the answer away."""
    client.shutdown(socket.SHUT_WR)
    client.settimeout(LINGER_SECONDS)
    left = LINGER_BYTES
    while left > 0 and (piece := client.recv(LINGER_BYTES)):
        left -= len(piece)
