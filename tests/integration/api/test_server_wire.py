"""The API on the wire: broken HTTP, and headers and bodies that never come."""

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.integration.lead import LEAD
from tests.integration.service import until
from tests.integration.stack import Stack


def open_raw(stack: Stack, sent: bytes) -> socket.socket:
    """A connection on which these bytes were sent, and no more."""
    connection = socket.create_connection(("127.0.0.1", stack.port), timeout=10)
    connection.sendall(sent)
    return connection


def head(method: str, path: str, length: int, key: str = "") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n\r\n"
    ).encode()


def read_all(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def drip(connection: socket.socket) -> None:
    with suppress(OSError):
        for _ in range(60):
            connection.sendall(b" ")
            time.sleep(0.2)


@pytest.mark.alone("it races with the two seconds that a body has")
def test_a_body_that_never_comes_is_a_4xx_soon_and_delays_no_other_request(stack: Stack) -> None:
    stack.settings["workers"] = "1"
    late = {
        b"HTTP/1.1 401 ": head("POST", "/lead/intake", 100),
        b"HTTP/1.1 400 ": head("POST", "/lead/intake", 100, stack.key) + b"{",
        b"HTTP/1.1 413 ": head("POST", "/lead/intake", 10_000_000, stack.key),
        b"HTTP/1.1 404 ": head("POST", "/nowhere", 100),
        b"HTTP/1.1 200 ": head("GET", "/lead/health", 100),
    }
    with stack.serve(), ThreadPoolExecutor() as pool:
        slow = {status: open_raw(stack, sent) for status, sent in late.items()}
        dripping = open_raw(stack, head("POST", "/lead/intake", 100_000, stack.key))
        pool.submit(drip, dripping)
        started = time.monotonic()
        assert stack.post()[0] == 202
        assert time.monotonic() - started < 2
        for status, connection in slow.items():
            assert read_all(connection).startswith(status)
        assert read_all(dripping).startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - started < 10


def test_two_lines_with_an_idempotency_key_are_a_400_and_no_lead(stack: Stack) -> None:
    body = json.dumps(LEAD).encode()
    lines = b"Idempotency-Key: one\r\nIdempotency-Key: two\r\nConnection: close\r\n\r\n"
    with stack.serve():
        answer = read_all(open_raw(stack, head("POST", "/lead/intake", len(body), stack.key)[:-2] + lines + body))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"malformed-idempotency-key" in answer
    assert stack.count("intake_jobs") == 0


def test_a_client_that_never_reads_its_answers_is_let_go(stack: Stack) -> None:
    """Its requests fit into the buffers on the way; the answers do not."""
    stack.settings["workers"] = "1"
    with stack.serve() as service, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(1)
        deaf.connect(("127.0.0.1", stack.port))
        with suppress(TimeoutError):
            for _ in range(2_000):
                deaf.sendall(head("GET", "/lead/openapi.json", 0))
        assert until(lambda: "answer_not_read" in service.log)
        assert stack.post()[0] == 202
        with pytest.raises(ConnectionError):
            deaf.sendall(head("GET", "/lead/openapi.json", 0) * 2_000)
        assert "Traceback" not in service.log
        assert "Socket error" not in service.log


@pytest.mark.alone("it races with the seconds that a header has")
def test_sigterm_does_not_wait_long_for_headers_and_bodies_that_never_come(stack: Stack) -> None:
    with stack.serve() as service:
        body = open_raw(stack, head("POST", "/lead/intake", 100))
        headers = open_raw(stack, b"POST /lead/intake HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.5)
        service.send(signal.SIGTERM)
        assert service.process.wait(12) == 0
        assert b"\r\nConnection: close\r\n" in read_all(body)
        assert read_all(headers) == b""


def send_raw(stack: Stack, *parts: bytes) -> bytes:
    """What the server answers to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "a bad version": b"GET / HTTP/9.9\r\n\r\n",
    "a bad header": b"GET /lead/health HTTP/1.1\r\nHost: a\r\nbad header: 1\r\n\r\n",
    "a header that is too long": b"GET /lead/health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "two lengths": b"POST /lead/intake HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}a",
    "a length and chunks": b"POST /lead/intake HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


# Headers that gunicorn believes unless it is told not to; each would be a 404 or a 400.
BELIEVED = {
    "another root": b"SCRIPT_NAME: /lead\r\n",
    "two schemes": b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\nX-Forwarded-Protocol: none\r\n",
}


def test_no_header_of_a_caller_moves_the_api(stack: Stack) -> None:
    with stack.serve():
        for name, sent in BELIEVED.items():
            request = b"GET /lead/version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + sent + b"\r\n"
            answer = send_raw(stack, request)
            assert answer.startswith(b"HTTP/1.1 200 "), (name, answer[:200])


def test_the_served_api_keeps_its_promises_on_the_wire(stack: Stack) -> None:
    """One server for all that can be asked of it without harm."""
    with stack.serve():
        for name, sent in BROKEN.items():
            answer = send_raw(stack, sent)
            assert answer.startswith(b"HTTP/1.1 400 "), (name, answer[:200])
            assert b"application/problem+json" in answer, name
            assert b'"/lead/problems/bad-request"' in answer, name
        status, headers, document = stack.ask("POST", "/lead/intake", b"{" + b" " * 10_000_000)
        assert (status, document["status"]) == (413, 413)
        chunked = b"POST /lead/intake HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        chunked += f"Authorization: Bearer {stack.key}\r\nContent-Type: application/json\r\n\r\n".encode()
        answer = send_raw(stack, chunked, *[b"10000\r\n" + b" " * 65536 + b"\r\n"] * 20, b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
        status, headers, document = stack.ask("POST", "/lead/intake", json.dumps(LEAD).encode(), "k")
        assert (status, headers["Location"]) == (202, f"/lead/intake/{document['intake_id']}")
