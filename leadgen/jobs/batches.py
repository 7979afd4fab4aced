"""Draining batch after batch, for both worker and sweeper; nothing here needs Redis."""

import logging
from collections.abc import Iterator

from leadgen.log import event
from leadgen.store import queue
from leadgen.store.connection import Connection
from leadgen.store.queue import BATCH, BatchTooSlow, Drained

_log = logging.getLogger(__name__)


def drain_batches(connection: Connection) -> Iterator[Drained]:
    """Drain batch after batch, until nothing claimable is left or the caller stops iterating.

    When a batch takes PostgreSQL too long, the following ones are smaller.
    """
    queue.prefer_indexes(connection)
    most = taken = BATCH
    while taken == most:
        try:
            batch = queue.drain_with_suspects(connection, most)
            taken = batch.taken
        except BatchTooSlow:
            if most == 1:
                raise
            event(_log, "batch_too_slow", level=logging.WARNING, intakes=most)
            most = taken = most // 2
            batch = Drained()
        _report(batch)
        yield batch


def _report(batch: Drained) -> None:
    """Log the result of a batch, unless it was empty, and each intake that failed."""
    if batch.taken:
        level = logging.WARNING if batch.failed else logging.INFO
        event(_log, "drained", level=level, leads=batch.leads, put_off=batch.put_off, buried=batch.buried)
    for failed in batch.failed:
        event(
            _log,
            "intake_failed",
            level=logging.WARNING,
            intake_id=failed.intake_id,
            attempts=failed.attempts,
            buried=failed.buried,
            reason=failed.reason,
        )
