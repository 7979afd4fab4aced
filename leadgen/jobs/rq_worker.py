"""RQ's worker, which also says after a loss of Redis's data that it is there."""

from redis.client import Pipeline
from rq import SimpleWorker
from rq.worker_registration import register


class Worker(SimpleWorker):
    """RQ's own registers once, at its start: Redis, once wiped or restarted, would never list it again."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        register(self, pipeline)
