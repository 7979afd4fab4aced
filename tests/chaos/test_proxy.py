"""The fault proxy: each mode as a client meets it."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.chaos.proxy import LOOPBACK, Proxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while piece := self.request.recv(65_536):
                self.request.sendall(piece)
        except ConnectionResetError:
            pass


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy(echo_port) as proxy:
        yield proxy


def connect(proxy: Proxy) -> "closing[socket.socket]":
    return closing(socket.create_connection((LOOPBACK, proxy.port), timeout=5))


def receive(client: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (piece := client.recv(65_536)):
        received += piece
    return received


def test_what_passes_is_unchanged_however_long(proxy: Proxy) -> None:
    sent = bytes(range(256)) * 20_000
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(sent,))
        sender.start()
        assert receive(client, len(sent)) == sent
        sender.join()


def test_a_delay_holds_each_direction_up(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.delay(0.1)
        began = time.monotonic()
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        assert time.monotonic() - began >= 0.2


def test_a_blackhole_swallows_and_delivers_when_it_ends(proxy: Proxy) -> None:
    with connect(proxy) as old:
        old.sendall(b"a")
        assert receive(old, 1) == b"a"
        proxy.blackhole()
        with connect(proxy) as new:
            for client in (old, new):
                client.sendall(b"x")
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.recv(1)
            proxy.pass_all()
            for client in (old, new):
                client.settimeout(5)
                assert receive(client, 1) == b"x"


def test_what_is_refused_is_reset_and_welcome_again_afterwards(proxy: Proxy) -> None:
    with connect(proxy) as old:
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as new:  # it can come before connect() returns
        new.recv(1)
    proxy.pass_all()
    with connect(proxy) as client:
        client.sendall(b"x")
        assert receive(client, 1) == b"x"


def test_a_reset_hits_all_connections_and_no_later_one(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        for client in (one, other):
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
        assert proxy.reset() == 2
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    with connect(proxy) as client:
        client.sendall(b"x")
        assert receive(client, 1) == b"x"


def test_an_end_is_handed_on(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 2) == b"x"


def test_a_server_that_is_not_there_resets_its_clients() -> None:
    with socket.create_server((LOOPBACK, 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy(port) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_a_closed_proxy_resets_its_clients_and_frees_its_port(echo_port: int) -> None:
    with Proxy(echo_port) as proxy:
        client = socket.create_connection((LOOPBACK, proxy.port), timeout=5)
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, proxy.port))
