"""Latency in an open loop: posts leave at their own pace, and each is timed from the moment at which it was due.

`post` runs this file as a separate program, so that no other code of ours delays its clock.
"""

import gc
import json
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.bench.errors import CannotMeasure

PROJECT = Path(__file__).parents[2]
MOST_CONNECTIONS = 400  # a request that is due while all of them are busy waits, and that time counts
FIRST_CONNECTIONS = 16
PATIENCE_SECONDS = 20  # longer than any answer takes that is one
MOST_ANSWER_BYTES = 65_536


def post(url: str, key: str, document: object, *, rate: float, seconds: float) -> list[float]:
    """Milliseconds from due to answered, in the order of the answers. Raises CannotMeasure unless all are 202."""
    return _run(seconds, url=url, key=key, document=document, rate=rate, limited=False)[0]


@contextmanager
def pressing(url: str, key: str, document: object, *, rate: float, seconds: float) -> Iterator[list[float]]:
    """Posts of another client, whom 429 may stop, from before the block until after it.

    The list then has their share that was answered 429 with Retry-After. Raises CannotMeasure for any other answer
    but 202.
    """
    shares: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_run, seconds, url=url, key=key, document=document, rate=rate, limited=True)
        yield shares
        latencies, refused = running.result()
    shares.append(refused / len(latencies))


def _run(seconds: float, **options: object) -> tuple[list[float], int]:
    """Latencies, and how many answers were 429."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.open_loop"],
        cwd=PROJECT,
        input=json.dumps({**options, "seconds": seconds}),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 2 * PATIENCE_SECONDS,
    )
    if done.returncode:
        raise CannotMeasure("open loop", done.stderr.strip().splitlines()[-1], "read the server's log")
    latencies, refused = json.loads(done.stdout)
    return latencies, refused


def moments(rate: float, seconds: float) -> list[float]:
    """When each post is due: at random with that mean rate, as people are, and the same at each call."""
    chance = random.Random(1)  # noqa: S311 - no secret hangs on it
    found = []
    due = chance.expovariate(rate)
    while due < seconds:
        found.append(due)
        due += chance.expovariate(rate)
    return found


def requests(options: dict[str, Any]) -> Iterator[bytes]:
    """Complete posts, each with its own key."""
    host, _, path = options["url"].removeprefix("http://").partition("/")
    body = json.dumps(options["document"]).encode()
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {options['key']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {uuid4().hex}"
    ).encode()
    number = 0
    while True:
        number += 1
        yield b"%b-%d\r\n\r\n%b" % (head, number, body)


@dataclass
class Wire:
    """One kept connection; `due` is the moment of the post that it carries, None while it is free.

    `limited`: an answer may also be 429, with Retry-After; `refused` counts them.
    """

    address: tuple[str, int]
    limited: bool = False
    due: float | None = None
    received: bytes = b""
    refused: int = 0

    def __post_init__(self) -> None:
        self.end = socket.create_connection(self.address, PATIENCE_SECONDS)
        self.end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes, due: float) -> None:
        self.due, self.received = due, b""
        self.end.sendall(request)

    def read(self) -> bool:
        """Read received data; True when the answer is complete. Raises when it is another one, or is cut off."""
        piece = self.end.recv(MOST_ANSWER_BYTES)
        if not piece:
            raise CannotMeasure("open loop", "a connection was closed before its answer", "read the server's log")
        self.received += piece
        head, blank, body = self.received.partition(b"\r\n\r\n")
        if not blank:
            return False
        status, *headers = head.split(b"\r\n")
        told_to_wait = any(line.lower().startswith(b"retry-after:") for line in headers)
        refused = self.limited and status.split(b" ")[1] == b"429" and told_to_wait
        if status.split(b" ")[1] != b"202" and not refused:
            raise CannotMeasure("open loop", f"an answer was {status.decode()}", "read the server's log")
        length = next(int(line[15:]) for line in headers if line.lower().startswith(b"content-length:"))
        complete = len(body) >= length
        self.refused += refused and complete
        return complete


class Loop:
    """Sends due posts over the first free connection, or over a new one if none is free."""

    def __init__(self, address: tuple[str, int], posts: Iterator[bytes], *, limited: bool = False) -> None:
        self._address = address
        self._limited = limited
        self._posts = posts
        self._free = deque(Wire(address, limited) for _ in range(FIRST_CONNECTIONS))
        self._wires = {wire.end: wire for wire in self._free}
        self.latencies: list[float] = []
        self.refused = 0

    def run(self, dues: Sequence[float]) -> None:
        """`dues` in seconds from now."""
        began = time.perf_counter()
        left = deque(began + due for due in dues)
        until = began + (dues[-1] if dues else 0) + PATIENCE_SECONDS
        while len(self.latencies) < len(dues):
            now = time.perf_counter()
            if now > until:
                raise CannotMeasure("open loop", "answers did not come", "read the server's log")
            while left and left[0] <= now and (wire := self._take()):
                wire.send(next(self._posts), left.popleft())
            # A due post without a connection waits for an answer, not for the clock.
            waits = left[0] - now if left and left[0] > now else PATIENCE_SECONDS
            self._receive(max(waits, 0))

    def _take(self) -> Wire | None:
        if self._free:
            return self._free.popleft()
        if len(self._wires) == MOST_CONNECTIONS:
            return None
        wire = Wire(self._address, self._limited)
        self._wires[wire.end] = wire
        return wire

    def _receive(self, seconds: float) -> None:
        for ready in select.select(list(self._wires), [], [], seconds)[0]:
            wire = self._wires[ready]
            if wire.due is None:  # the server closes idle connections
                self._free.remove(wire)
                del self._wires[ready]
                ready.close()
            elif wire.read():
                self.latencies.append((time.perf_counter() - wire.due) * 1000)
                self.refused, wire.refused = self.refused + wire.refused, 0
                wire.due = None
                self._free.append(wire)


def main() -> None:
    options = json.load(sys.stdin)
    host, _, port = options["url"].removeprefix("http://").partition("/")[0].partition(":")
    loop = Loop((host, int(port)), requests(options), limited=options["limited"])
    gc.disable()  # it would delay the clock of an answer
    loop.run(moments(options["rate"], options["seconds"]))
    json.dump([[round(latency, 3) for latency in loop.latencies], loop.refused], sys.stdout)


if __name__ == "__main__":
    main()
