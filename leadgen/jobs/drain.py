"""The one job that RQ runs: turn waiting intakes into leads. It carries no data, since PostgreSQL has it all."""

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

# About half a second of work: a worker that is told to stop finishes its job first.
BATCHES_PER_JOB: Final = 20
# On a server that is slow; less than the 30 after which RQ would fail the job.
JOB_SECONDS: Final = 25.0

_log = logging.getLogger(__name__)


def drain() -> None:
    """Drain, and ring again when more is left.

    A database that does not answer fails no job: nothing was lost, and the sweeper drains once it is back.
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
    # From Python 3.13 on a pool that is left open holds the end of the process up for more than ten seconds.
    atexit.register(database.close)
    return database, RqBell(config.redis_url)
