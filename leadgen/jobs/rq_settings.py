"""What `rq worker -c leadgen.jobs.rq_settings` reads: every name in capitals is one of RQ's settings."""

from typing import Final

import leadgen.jobs.drain  # noqa: F401 - loaded now, so that the first drain after a start is as quick as any other
from leadgen import log
from leadgen.config import load

_config = load("database_url", "redis_url")
# Before RQ looks: it makes handlers of its own only where there are none.
log.configure(_config.log_level)

REDIS_URL: Final = _config.redis_url

# RQ tells four lines of every job at INFO; what a drain did is told by the drain.
DICT_CONFIG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "incremental": True,
    "loggers": {"rq.worker": {"level": "WARNING"}},
}
