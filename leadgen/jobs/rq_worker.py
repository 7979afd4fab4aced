"""RQ's worker, which runs one kind of job only, and registers again after Redis has lost its data."""

import logging
from collections.abc import Mapping
from typing import Final

from redis.client import Pipeline
from rq import SimpleWorker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.worker_registration import register

from leadgen.jobs.rq_bell import DRAIN
from leadgen.log import event

# Each names code that RQ would import and call, or an address that it would send to.
_MUST_BE_EMPTY: Final = (
    *(b"success_callback_name", b"failure_callback_name", b"stopped_callback_name"),
    *(b"webhooks", b"dependency_id", b"dependency_ids"),
)

_log: Final = logging.getLogger(__name__)


class DrainJob(Job):
    """A drain without arguments; for RQ, any other job does not exist.

    A job names the function that RQ imports and calls, so whoever can write to Redis could run any code. RQ reads
    every job through `restore`, to run it and to call its callbacks, and passes over one that does not exist.
    """

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        try:
            super().restore(raw_data)
            call = (self.func_name, self.instance, list(self.args), dict(self.kwargs))
            ours = call == (DRAIN, None, [], {}) and not any(raw_data.get(name) for name in _MUST_BE_EMPTY)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not ours
            ours = False
        if not ours:
            event(_log, "foreign_job_refused", level=logging.ERROR)
            self.connection.delete(self.key)
            raise NoSuchJobError("not a drain")


class Worker(SimpleWorker):
    """RQ's own worker registers only at its start: after a wipe or restart, Redis would never list it again."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        register(self, pipeline)
