"""The edge of a lab host as its clients meet it: whole requests, raw bytes, handshakes, and steady traffic."""

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.lab.certificates import EDGE
from tests.lab.host import Host

SECONDS = 15.0
HEALTH = "/api/lead/health"
INTAKE = "/api/lead/intake"
HEAD = f"POST {INTAKE} HTTP/1.1\r\nHost: {EDGE}\r\n".encode()
TWO_LENGTHS = HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
MANY_HEADERS = HEAD + b"".join(b"X%d: %s\r\n" % (i, b"a" * 4000) for i in range(20)) + b"\r\n"


@dataclass(frozen=True)
class Answer:
    """What came back, and when; status 0 for a connection that was closed without an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json", self
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        assert document["type"].startswith(f"https://{EDGE}/api/lead/problems/")
        return document


@dataclass
class Traffic:
    """Answers to one client after the other; an error of the connection is an answer of status 0."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200]

    @property
    def p99_seconds(self) -> float:
        times = sorted(answer.seconds for answer in self.answers)
        return times[int(len(times) * 0.99)]


def connect(host: Host, *, port: int = 443) -> socket.socket:
    """A connection; on port 443 with TLS, trusting the lab's own authority only."""
    trusted = ssl.create_default_context(cafile=host.directory / "ca.pem") if port == 443 else None
    return host.network.dial(port, SECONDS, trusted=trusted)


def send(host: Host, data: bytes, *, port: int = 443) -> Answer:
    """Bytes as they are, and all that comes back until the other side closes."""
    begin = time.monotonic()
    with connect(host, port=port) as client:
        # The answer may come, and the connection end, before everything is sent.
        with suppress(OSError):
            client.sendall(data)
        got = b""
        with suppress(ConnectionError, ssl.SSLError):
            while piece := client.recv(65536):
                got += piece
    return _read(got, time.monotonic() - begin)


def ask(host: Host, path: str, method: str = "GET", body: bytes = b"", port: int = 443, **headers: str) -> Answer:
    """One request on a connection of its own; `X_Y` becomes the header `X-Y`."""
    lines = {
        "Host": EDGE,
        "Connection": "close",
        **{key.replace("_", "-"): value for key, value in headers.items()},
    }
    if body or method == "POST":
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return send(host, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body, port=port)


@contextmanager
def traffic(host: Host, *, clients: int = 4, pause_seconds: float = 0.02) -> Iterator[Traffic]:
    """Clients that ask for health, each on a new connection, from before the block until after it."""
    seen, end = Traffic(), threading.Event()

    def run() -> None:
        while not end.wait(pause_seconds):
            try:
                seen.answers.append(ask(host, HEALTH))
            except OSError as error:
                seen.answers.append(Answer(0, {}, repr(error).encode()))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        end.set()
        for thread in threads:
            thread.join()


def handshake(host: Host, *options: str, name: str = EDGE) -> str:
    """What OpenSSL's client says of a handshake; its own level would keep it from asking for what is old."""
    words = ["openssl", "s_client", "-connect", f"{host.address}:443", "-servername", name, *options]
    done = subprocess.run(words, input="", capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout + done.stderr


def _read(got: bytes, seconds: float) -> Answer:
    head, _, body = got.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if not status.startswith("HTTP/1.1 "):
        return Answer(0, {}, got, seconds)
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(": ") for line in lines):
        assert name.lower() not in headers, f"{name} stands twice"
        headers[name.lower()] = value
    return Answer(int(status.split()[1]), headers, body, seconds)
