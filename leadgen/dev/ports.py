"""Ports on the loopback address, which is the only one that the dev profile's servers listen on."""

import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def remembered_port(file: Path) -> int:
    """The port that the file holds, or a free one that it will hold from now on if that is taken."""
    remembered = int(file.read_text(encoding="ascii")) if file.exists() else 0
    port = remembered if remembered and is_free(remembered) else free_port()
    file.write_text(f"{port}\n", encoding="ascii")
    return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket() as probe:
        # As servers do: a port is not taken by the connections of a server that has just ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
