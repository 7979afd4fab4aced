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


def is_free(port: int) -> bool:
    try:
        bind_once(port, LOOPBACK)
    except OSError:
        return False
    return True


def bind_once(port: int, host: str) -> None:
    """Take the address and leave it again. Raises OSError when that is not possible."""
    family, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        # As servers do: connections of a server that has just ended do not make its port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
