"""A PostgreSQL that is there and does not answer."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import Database


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
