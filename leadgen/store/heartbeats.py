"""Signs of life: each service leaves its last one in the database, which so also shows that it takes writes."""

from typing import Final

from leadgen.store.connection import Connection
from leadgen.store.queries import load

_SQL: Final = load("heartbeats")


def beat(connection: Connection, service: str, release: str) -> None:
    """Leave a sign of life."""
    connection.execute(_SQL["beat"], [service, release])


def get_ages(connection: Connection) -> dict[str, float]:
    """Seconds since the last sign of life, by service."""
    return dict(connection.execute(_SQL["get_ages"]).fetchall())
