"""The one job that RQ runs: turn waiting intakes into leads. It carries no data, since PostgreSQL has it all."""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from itertools import islice
from typing import Final

from redis import RedisError

from leadgen.config import load
from leadgen.errors import LeadgenError
from leadgen.jobs.rq_bell import RqBell
from leadgen.log import event
from leadgen.store import queue
from leadgen.store.connection import Connection, Database
from leadgen.store.queue import BATCH, Drained

# About half a second of work: a worker that is told to stop finishes its job first.
BATCHES_PER_JOB: Final = 20

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
    with database.connection() as connection:
        return sum(islice(drain_batches(connection), BATCHES_PER_JOB), start=Drained())


def drain_batches(connection: Connection) -> Iterator[Drained]:
    """Drain batch after batch, until nothing claimable is left or the caller stops asking."""
    taken = BATCH
    while taken == BATCH:
        batch = queue.drain_with_suspects(connection)
        taken = batch.taken
        _report(batch)
        yield batch


def _report(batch: Drained) -> None:
    """Log what a batch did, if it did anything."""
    if batch.taken:
        level = logging.WARNING if batch.put_off or batch.buried else logging.INFO
        event(_log, "drained", level=level, **asdict(batch))


@cache
def _open() -> tuple[Database, RqBell]:
    """One of each for the life of the process: RQ calls `drain` in the same one every time."""
    config = load("database_url", "redis_url")
    return Database(config.database_url, "worker", most=1), RqBell(config.redis_url)
