"""procrastinate with a job for each lead: `fill` queues them for all waiting intakes, `work` runs its worker.

No straw man: uvloop, asynchronous tasks side by side, warm pools, prepared statements, finished jobs deleted.
"""

import os
import sys

import uvloop
from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from tests.bench.peers.one_lead import insert

URL = os.environ["DATABASE_URL"]
SIDE_BY_SIDE = int(os.environ.get("PEER_JOBS", "16"))
PIECE = 1_000
INSERT = insert("%s")

leads = AsyncConnectionPool(
    URL, kwargs={"autocommit": True}, min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE, open=False
)
app = App(connector=PsycopgConnector(conninfo=URL, min_size=4, max_size=SIDE_BY_SIDE))


@app.task
async def make_lead(intake_id: str) -> None:
    async with leads.connection() as connection:
        await connection.execute(INSERT, [intake_id], prepare=True)


async def fill() -> None:
    async with app.open_async(), leads:
        await app.schema_manager.apply_schema_async()
        async with leads.connection() as connection:
            rows = await connection.execute("SELECT intake_id::text FROM app.intake_queue ORDER BY 1")
            jobs = [{"intake_id": intake_id} async for (intake_id,) in rows]
        for start in range(0, len(jobs), PIECE):
            await make_lead.batch_defer_async(*jobs[start : start + PIECE])
        async with leads.connection() as connection:
            await connection.execute("VACUUM (ANALYZE) procrastinate_jobs")


async def work() -> None:
    async with app.open_async(), leads:
        await leads.wait()
        await app.run_worker_async(concurrency=SIDE_BY_SIDE, delete_jobs="successful")


if __name__ == "__main__":
    uvloop.run({"fill": fill, "work": work}[sys.argv[1]]())
