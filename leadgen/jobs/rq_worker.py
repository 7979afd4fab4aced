"""RQ's worker, which also registers again after Redis has lost its data."""

from redis.client import Pipeline
from rq import SimpleWorker
from rq.worker_registration import register


class Worker(SimpleWorker):
    """RQ's own worker registers only at its start: after a wipe or restart, Redis would never list it again."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        register(self, pipeline)
