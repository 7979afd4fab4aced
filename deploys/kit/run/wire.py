"""The connection below a run's commands."""

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector


def prepare(host: Host) -> None:
    """Make the connection of a connected host fast, and safe from what its commands print."""
    send_at_once(host)
    read_any_bytes(host)


def send_at_once(host: Host) -> None:
    """Send each packet to a connected host as it is written.

    A command's end and the next command's begin are two small packets. The kernel holds the second back until the
    first is acknowledged (Nagle), and the host delays that by 40 ms: more than most of our commands take.
    """
    if isinstance(host.connector, SSHConnector) and host.connector.client:
        transport = host.connector.client.get_transport()
        # Behind a jump host it is a channel of another connection.
        if transport and isinstance(transport.sock, socket.socket):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def read_any_bytes(host: Host) -> None:
    """Show what is not UTF-8 in a command's output as U+FFFD.

    Pyinfra decodes strictly, in a greenlet that ends at such a byte: the rest of the output would be missing, and
    a probe would read its status from the wrong line. Such bytes come from a file's name, or from an error that
    quotes what it could not decrypt.
    """
    if isinstance(host.connector, SSHConnector) and host.connector.client:
        client: Any = host.connector.client
        client.exec_command = _loosely(client.exec_command)


def _loosely(execute: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """`exec_command` of an SSH client, whose two outputs are then text whatever their bytes are."""

    def executed(*words: Any, **options: Any) -> tuple[Any, ...]:  # noqa: ANN401 - paramiko's own
        stdin, stdout, _ = execute(*words, **options)
        channel = stdout.channel
        return stdin, _Lines(channel, channel.makefile("rb")), _Lines(channel, channel.makefile_stderr("rb"))

    return executed


class _Lines:
    """One of a command's two outputs, as text; `channel` and `file` are paramiko's."""

    def __init__(self, channel: Any, file: Iterable[bytes]) -> None:  # noqa: ANN401 - paramiko's own
        self.channel = channel
        self._file = file

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            yield line.decode(errors="replace")
