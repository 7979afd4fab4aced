"""A server in front of the API that first fails as configured, and then passes everything through."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from ssl import SSLContext
from typing import Final

HANDED_ON: Final = ("X-API-Key", "Content-Type", "Idempotency-Key", "X-Lead-Source", "Prefer")
WAITS_SECONDS: Final = 20


@dataclass(frozen=True)
class Refusal:
    """An answer that the API never sees the request of."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class LostAnswer:
    """The API accepts, and the connection breaks before the client hears of it."""


class Held:
    """Nothing happens until the test lets go; then the request is handed through."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.released = threading.Event()


@dataclass(frozen=True)
class Request:
    """What came, and when, by the clock that never goes back."""

    headers: Message
    body: bytes
    at: float


class FaultServer(ThreadingHTTPServer):
    """Takes one of `faults` for each request, until none is left."""

    daemon_threads = True

    def __init__(self, port: int, api_port: int, faults: Sequence[Refusal | LostAnswer | Held]) -> None:
        self.api_port = api_port
        self.faults = list(faults)
        self.requests: list[Request] = []
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def waits(self) -> list[float]:
        """The seconds between one request and the next."""
        times = [request.at for request in self.requests]
        return [after - before for before, after in pairwise(times)]


class _Handler(BaseHTTPRequestHandler):
    server: FaultServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(Request(self.headers, body, time.monotonic()))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, Refusal):
            self._answer(fault.status, fault.headers, fault.body)
            return
        if isinstance(fault, Held):
            fault.came.set()
            fault.released.wait(WAITS_SECONDS)
        status, headers, answer = self._hand_on(body)
        if isinstance(fault, LostAnswer):
            self.close_connection = True
            return
        self._answer(status, headers, answer)

    def _hand_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.api_port, timeout=WAITS_SECONDS)
        headers = {name: self.headers[name] for name in HANDED_ON if name in self.headers}
        connection.request("POST", self.path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, {"Content-Type": response.headers["Content-Type"]}, answer

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a test looks at `requests`."""


@contextmanager
def in_front_of(
    api_port: int, *faults: Refusal | LostAnswer | Held, port: int = 0, tls: SSLContext | None = None
) -> Iterator[FaultServer]:
    """A fault server while the block lasts."""
    server = FaultServer(port, api_port, faults)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
