"""Heartbeats: each service stores its last one in the database, which also proves that it accepts writes."""

from typing import Final

from leadgen.store.connection import Connection
from leadgen.store.queries import load

_SQL: Final = load("heartbeats")


def beat(connection: Connection, service: str, release: str) -> None:
    """Store a heartbeat."""
    connection.execute(_SQL["beat"], [service, release])


def get_ages(connection: Connection) -> dict[str, float]:
    """Seconds since the last heartbeat, by service."""
    return dict(connection.execute(_SQL["get_ages"]).fetchall())
