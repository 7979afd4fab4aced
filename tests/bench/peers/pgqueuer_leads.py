"""pgqueuer with a job for each lead: `fill` queues them for all waiting intakes, `work` runs its worker.

No straw man: uvloop, asyncpg, jobs fetched and finished in batches, a warm pool with nothing else on the wire.
"""

import os
import sys

import asyncpg
import uvloop
from pgqueuer import AsyncpgPoolDriver, Job, PgQueuer, Queries

from tests.bench.peers.one_lead import insert

URL = os.environ["DATABASE_URL"]
CONNECTIONS = int(os.environ.get("PEER_CONNECTIONS", "16"))
BATCH = int(os.environ.get("PEER_BATCH", "500"))
PIECE = 1_000
INSERT = insert("$1")


async def fill() -> None:
    async with pool() as connections:
        queries = Queries(AsyncpgPoolDriver(connections))
        await queries.install()
        rows = await connections.fetch("SELECT intake_id::text FROM app.intake_queue ORDER BY 1")
        for start in range(0, len(rows), PIECE):
            ids = [intake_id.encode() for (intake_id,) in rows[start : start + PIECE]]
            await queries.enqueue(["make_lead"] * len(ids), ids, [0] * len(ids))
        await connections.execute("VACUUM (ANALYZE) pgqueuer")


async def work() -> None:
    async with pool() as connections, pool() as leads:
        worker = PgQueuer.from_asyncpg_pool(connections)

        @worker.entrypoint("make_lead")
        async def make_lead(job: Job) -> None:
            await leads.execute(INSERT, (job.payload or b"").decode())

        await worker.run(batch_size=BATCH, max_concurrent_tasks=2 * BATCH)


def pool() -> "asyncpg.pool.Pool[asyncpg.Record]":
    async def plain(_: object) -> None:
        """Between two uses reset nothing: that would be a statement more for each lead."""

    return asyncpg.create_pool(URL, min_size=CONNECTIONS, max_size=CONNECTIONS, reset=plain)


if __name__ == "__main__":
    uvloop.run({"fill": fill, "work": work}[sys.argv[1]]())
