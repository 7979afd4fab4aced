"""A PostgreSQL that is there and does not answer."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Database

_SOCKETS = Path("/proc/net/tcp")


@contextmanager
def frozen(database: Database) -> Iterator[None]:
    """The whole server stopped in its tracks, its sockets open; take `own_postgres` for that."""
    try:
        for process in database.server.processes():
            process.signal(signal.SIGSTOP)
        yield
    finally:
        for process in database.server.processes():
            process.signal(signal.SIGCONT)


def count_unread(database: Database) -> int:
    """How many connections have sent something that the server has not read yet."""
    port = f":{database.server.port:04X}"
    rows = [line.split() for line in _SOCKETS.read_text(encoding="ascii").splitlines()[1:]]
    return sum(local.endswith(port) and not queues.endswith(":00000000") for _, local, _, _, queues, *_ in rows)
