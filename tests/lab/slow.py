"""A slow road from a lab host to a port of the machine that carries it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.lab.command import run
from tests.lab.network import MARK, Network

CHUNK_BYTES = 4096


@contextmanager
def slow_road(network: Network, port: int, *, bytes_per_second: int) -> Iterator[None]:
    """In the block, what the host sends to the port passes at this pace, each connection for itself."""
    road = _Road((network.gateway, port), bytes_per_second)
    rule = [
        *("PREROUTING", "-i", network.interface, "-d", network.gateway, "-p", "tcp", "--dport", str(port)),
        *("-m", "comment", "--comment", f"{MARK}-slow", "-j", "REDIRECT", "--to-ports", str(road.port)),
    ]
    run("iptables", "-w", "-t", "nat", "-I", *rule)
    try:
        yield
    finally:
        run("iptables", "-w", "-t", "nat", "-D", *rule)
        road.close()


@dataclass
class _Road:
    """Takes connections on a port of its own, at the same address, and passes them on."""

    target: tuple[str, int]
    bytes_per_second: int
    listener: socket.socket = field(init=False)
    ends: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server((self.target[0], 0))
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def close(self) -> None:
        """Cut all of them: whoever is on the way has to begin anew."""
        for each in (self.listener, *self.ends):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
                self.ends += [near, far]
                threading.Thread(target=self._pass, args=(near, far, self.bytes_per_second), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, 10**9), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, pace: int) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                time.sleep(len(data) / pace)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
