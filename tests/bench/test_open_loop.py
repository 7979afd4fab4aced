"""The open loop: posts leave when they are due, and a server that stalls cannot hide it."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from tests.bench.errors import CannotMeasure
from tests.bench.open_loop import FIRST_CONNECTIONS, moments, post, pressing
from tests.bench.percentiles import percentile

STALL_SECONDS = 0.5


class Server(ThreadingHTTPServer):
    """Counts the posts by their keys."""

    daemon_threads = True

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keys: list[str] = []
        self.stalls = False
        self.status = 202
        self.limit: int | None = None  # of posts, after which each is answered 429
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers 202 immediately, except for a short stall of all connections after the tenth post."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.keys.append(self.headers["Idempotency-Key"])
            if self.server.stalls and len(self.server.keys) == 10:
                time.sleep(STALL_SECONDS)
        if self.server.limit is not None and len(self.server.keys) > self.server.limit:
            self.send_response(429)
            self.send_header("Retry-After", "1")
        else:
            self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is for the test."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/lead/intake"


def test_moments_are_at_random_with_the_pace_that_was_asked_for() -> None:
    found = moments(200, 50)
    assert len(found) == pytest.approx(10_000, rel=0.05)
    assert found == sorted(found)
    assert found[0] > 0
    assert found[-1] < 50
    gaps = [after - before for before, after in pairwise(found)]
    assert sum(gap < 0.005 / 4 for gap in gaps) > 0.15 * len(gaps), "people do not come at even intervals"
    assert moments(200, 50) == found, "compared programs must get the same load"


def test_every_post_has_its_own_key_and_is_timed(server: Server) -> None:
    waits = post(url(server), "key", {"a": 1}, rate=100, seconds=1)
    assert len(waits) == len(moments(100, 1)) == len(set(server.keys))
    assert min(waits) > 0


def test_who_was_due_during_a_stall_is_counted_from_then(server: Server) -> None:
    """A closed loop would have one slow answer a connection; here everybody due in that half second waited."""
    server.stalls = True
    waits = post(url(server), "key", {}, rate=200, seconds=1.5)
    assert sum(wait > 100 for wait in waits) > 2 * FIRST_CONNECTIONS
    assert percentile(waits, 1) > STALL_SECONDS * 900


def test_an_answer_other_than_202_ends_the_measurement(server: Server) -> None:
    server.status = 503
    with pytest.raises(CannotMeasure, match=r"an answer was HTTP/1\.1 503"):
        post(url(server), "key", {}, rate=50, seconds=0.5)


def test_of_a_pressing_client_the_share_that_is_refused_is_counted(server: Server) -> None:
    server.limit = len(moments(100, 1)) // 4
    with pressing(url(server), "key", {}, rate=100, seconds=1) as shares:
        assert shares == []
    assert shares == [pytest.approx(0.75, abs=0.02)]


def test_a_pressing_client_that_gets_another_answer_ends_the_measurement(server: Server) -> None:
    server.status = 429  # without Retry-After
    with (
        pytest.raises(CannotMeasure, match=r"an answer was HTTP/1\.1 429"),
        pressing(url(server), "key", {}, rate=50, seconds=0.5),
    ):
        pass
