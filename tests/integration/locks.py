"""Who waits for a lock of PostgreSQL, as a test sees it."""

import psycopg

from tests.conftest import Database
from tests.integration.service import until

_WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def count_waiters(database: Database) -> int:
    """How many sessions of this database are held up by a lock."""
    with psycopg.connect(database.superuser_url) as superuser:
        ((waiters,),) = superuser.execute(_WAITERS).fetchall()
    return int(waiters)


def wait_for_lock(database: Database, waiters: int = 1) -> None:
    assert until(lambda: count_waiters(database) >= waiters), "no session waits for a lock"
