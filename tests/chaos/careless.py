"""Worker and sweeper, written on the assumption that nothing crashes in between; for a control.

Leads are committed first, without ON CONFLICT, and only then taken off the queue. That is right as long as both
happen; when the process is killed in between, the next one repeats its leads.
"""

import sys
import time
from typing import Final

from rq.cli.cli import main as rq

from leadgen.cli import leadgen
from leadgen.cli.worker import COMMAND
from leadgen.store import queue
from leadgen.store.connection import Connection

BETWEEN_SECONDS: Final = 0.1  # sending an email, say

_QUERIES: Final = queue._SQL  # noqa: SLF001 - only so can the real statement be spoilt
_CONFLICT: Final = "ON CONFLICT (intake_id) DO NOTHING"
_CLAIM: Final = "SELECT intake_id FROM app.intake_queue ORDER BY intake_id LIMIT %s FOR UPDATE SKIP LOCKED"
_KEEP: Final = "INSERT INTO app.intake_queue (intake_id) SELECT unnest(%s::uuid[])"
_REMOVE: Final = "DELETE FROM app.intake_queue WHERE intake_id = ANY (%s)"


def drain_batch(connection: Connection, most: int = queue.BATCH) -> int:
    """One at a time, guarded by a lock that ends with the process."""
    if connection.execute("SELECT pg_try_advisory_lock(1)").fetchone() != (True,):
        return 0
    try:
        with connection.transaction():
            claimed = [intake_id for (intake_id,) in connection.execute(_CLAIM, [most])]
            connection.execute(_QUERIES["drain_batch"], {"only": claimed, "most": most})
            connection.execute(_KEEP, [claimed])
        time.sleep(BETWEEN_SECONDS if claimed else 0)
        connection.execute(_REMOVE, [claimed])
    finally:
        connection.execute("SELECT pg_advisory_unlock(1)")
    return len(claimed)


def run() -> None:
    """`serve`, `worker` or `sweep`, as `leadgen` has them."""
    assert _CONFLICT in _QUERIES["drain_batch"]
    _QUERIES["drain_batch"] = _QUERIES["drain_batch"].replace(_CONFLICT, "")
    queue.drain_batch = drain_batch
    if sys.argv[1:] == ["worker"]:
        sys.argv = list(COMMAND)  # in this process: a separate program would load the real one
        rq()
    leadgen()


if __name__ == "__main__":
    run()
