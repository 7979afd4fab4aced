"""The bell itself: one RQ job without data, rung through a Redis client that never waits for long."""

from datetime import UTC, datetime, timedelta
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from rq.utils import utcparse
from rq.worker_registration import get_keys

QUEUE: Final = "intake"
DRAIN: Final = "leadgen.jobs.drain.drain"

# RQ's worker waits for a job for its TTL less 15 s and beats its heart each time: here every 5 s.
WORKER_TTL_SECONDS: Final = 20
WORKER_LIVE: Final = timedelta(seconds=15)  # RQ keeps a dead worker's key for 80 s: too long to believe it

_TIMEOUT_SECONDS: Final = 0.25
_JOB_TIMEOUT_SECONDS: Final = 30
_FAILURE_KEPT_SECONDS: Final = 60


class RqBell:
    """Rings of one process. Raises redis.RedisError or OSError, each call within a fraction of a second."""

    def __init__(self, redis_url: str) -> None:
        # Protocol 2 and no driver_info: connecting then takes no question that a hung server could leave open.
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._queue = Queue(QUEUE, connection=self._redis, serializer=JSONSerializer)

    def ring(self) -> None:
        """Enqueue one drain, unless one that no worker has begun waits: it will see all that is committed by now.

        So a ring is never lost to an earlier one, and while no worker runs the queue holds one job, not millions.
        """
        if self._queue.count:
            return
        with self._redis.pipeline() as pipeline:
            self._queue.enqueue_call(
                DRAIN,
                timeout=_JOB_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=_FAILURE_KEPT_SECONDS,
                pipeline=pipeline,
            )
            pipeline.execute()

    def has_worker(self) -> bool:
        """Whether a live worker listens."""
        workers = get_keys(self._queue)
        with self._redis.pipeline(transaction=False) as pipeline:
            for worker in workers:
                pipeline.hget(worker, "last_heartbeat")
            beats = pipeline.execute()
        return any(datetime.now(UTC) - utcparse(beat.decode()) < WORKER_LIVE for beat in beats if beat)

    def close(self) -> None:
        self._redis.close()
