"""RQ with a job for each lead: `fill` queues them for all waiting intakes, `fork` and `simple` run its workers.

No straw man: what a job needs is imported before the fork, and no line is logged for each job.
"""

import os
import sys
from functools import cache

import psycopg
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer

from tests.bench.peers.one_lead import insert

QUEUE = "leads"
PIECE = 1_000
INSERT = insert("%s")


def make_lead(intake_id: str) -> None:
    connection(os.getpid()).execute(INSERT, [intake_id], prepare=True)


@cache
def connection(_pid: int) -> "psycopg.Connection[tuple[object, ...]]":
    """One a process: a worker that forks has to open one for each job."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def fill(queue: Queue) -> None:
    rows = connection(os.getpid()).execute("SELECT intake_id::text FROM app.intake_queue ORDER BY 1").fetchall()
    job = "tests.bench.peers.rq_leads.make_lead"
    for start in range(0, len(rows), PIECE):
        queue.enqueue_many(
            [Queue.prepare_data(job, args=row, result_ttl=0) for row in rows[start : start + PIECE]]
        )


def work(kind: type[Worker | SimpleWorker], queue: Queue) -> None:
    kind([queue], connection=queue.connection, serializer=JSONSerializer).work(logging_level="WARNING")


if __name__ == "__main__":
    leads = Queue(QUEUE, connection=Redis.from_url(os.environ["REDIS_URL"]), serializer=JSONSerializer)
    match sys.argv[1]:
        case "fill":
            fill(leads)
        case "fork":
            work(Worker, leads)
        case "simple":
            work(SimpleWorker, leads)
