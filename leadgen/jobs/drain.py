"""The only job that RQ runs: turn waiting intakes into leads. It carries no data: PostgreSQL has everything."""

import atexit
import logging
from functools import cache
from itertools import islice
from typing import Final

from redis import RedisError

from leadgen.config import load
from leadgen.errors import LeadgenError
from leadgen.jobs.batches import drain_batches
from leadgen.jobs.rq_bell import RqBell
from leadgen.log import event
from leadgen.store.connection import Database
from leadgen.store.queue import BATCH, Drained

# About half a second of work: a worker finishes its job before it stops.
BATCHES_PER_JOB: Final = 20
# For a slow server; less than the 30 seconds after which RQ fails the job.
JOB_SECONDS: Final = 25.0

_log = logging.getLogger(__name__)


def drain() -> None:
    """Drain, and ring again if more is left.

    The job does not fail when the database is down: nothing is lost, and the sweeper drains once it is back.
    """
    database, bell = _open()
    try:
        drained = run_once(database)
        if drained.taken == BATCHES_PER_JOB * BATCH:
            bell.ring()
    except (LeadgenError, RedisError, OSError) as error:
        event(_log, "drain_failed", level=logging.WARNING, reason=str(error))


def run_once(database: Database) -> Drained:
    """Drain until nothing claimable is left, or BATCHES_PER_JOB."""
    with database.connection(JOB_SECONDS) as connection:
        return sum(islice(drain_batches(connection), BATCHES_PER_JOB), start=Drained())


@cache
def _open() -> tuple[Database, RqBell]:
    """One of each for the life of the process: RQ calls `drain` in the same one every time."""
    config = load("database_url", "redis_url")
    database = Database(config.database_url, "worker", most=1)
    # Since Python 3.13 an open pool delays the end of the process by more than ten seconds.
    atexit.register(database.close)
    return database, RqBell(config.redis_url)
