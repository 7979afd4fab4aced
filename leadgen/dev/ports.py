"""Ports on the loopback address, the only one that the dev profile's servers listen on."""

import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def remembered_port(file: Path) -> int:
    """The port in the file; if there is none or it is taken, a free one, which is written into the file."""
    remembered = int(file.read_text(encoding="ascii")) if file.exists() else 0
    port = remembered if remembered and is_free(remembered) else free_port()
    file.write_text(f"{port}\n", encoding="ascii")
    return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of a server that has just ended do not make its port taken.
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
