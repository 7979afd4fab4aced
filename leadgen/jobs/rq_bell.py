"""The bell itself: one RQ job without data, enqueued by a Redis client with short timeouts."""

from datetime import UTC, datetime, timedelta
from time import monotonic
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

# RQ's worker waits for a job for its TTL minus 15 s, then sends a heartbeat: here every 5 s.
WORKER_TTL_SECONDS: Final = 20
WORKER_LIVE: Final = timedelta(seconds=15)  # RQ keeps a dead worker's key for 80 s: too long to rely on

UNHEARD_SECONDS: Final = 0.1  # an idle worker starts a job within a few milliseconds

_TIMEOUT_SECONDS: Final = 0.25
_JOB_TIMEOUT_SECONDS: Final = 30
_FAILURE_KEPT_SECONDS: Final = 60


class RqBell:
    """The bell of one process. Each call takes a fraction of a second; raises redis.RedisError or OSError."""

    def __init__(self, redis_url: str) -> None:
        # Protocol 2 and no driver_info: connecting then sends no command that a hung server would not answer.
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._queue = Queue(QUEUE, connection=self._redis, serializer=JSONSerializer)
        self._job = ""  # the job that was waiting at the last ring
        self._waits_since = 0.0

    def ring(self) -> bool:
        """Enqueue a drain, unless one is waiting that no worker has started: it will see every commit so far.

        So no ring is lost to an earlier one, and while no worker runs the queue holds one job, not millions.
        Returns False when the waiting job is so old that no worker seems to be running.
        """
        # Not a SET NX key: it would outlive the start of the drain, and swallow rings for intakes that this drain
        # no longer sees. A job leaves this list at the moment it is started.
        job = self._waiting() or self._enqueue()
        if job != self._job:
            self._job, self._waits_since = job, monotonic()
        return monotonic() - self._waits_since < UNHEARD_SECONDS

    def heard(self) -> bool:
        """Whether a worker has started the job of the last ring."""
        return self._waiting() != self._job

    def has_worker(self) -> bool:
        """Whether a live worker is listening."""
        workers = get_keys(self._queue)
        with self._redis.pipeline(transaction=False) as pipeline:
            for worker in workers:
                pipeline.hget(worker, "last_heartbeat")
            beats = pipeline.execute()
        return any(datetime.now(UTC) - utcparse(beat.decode()) < WORKER_LIVE for beat in beats if beat)

    def close(self) -> None:
        self._redis.close()

    def _waiting(self) -> str | None:
        """The oldest job that no worker has started."""
        return next(iter(self._queue.get_job_ids(length=1)), None)

    def _enqueue(self) -> str:
        with self._redis.pipeline() as pipeline:
            job = self._queue.enqueue_call(
                DRAIN,
                timeout=_JOB_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=_FAILURE_KEPT_SECONDS,
                pipeline=pipeline,
            )
            pipeline.execute()
        return job.id
