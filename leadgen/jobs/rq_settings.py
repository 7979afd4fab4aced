"""The settings for `rq worker -c leadgen.jobs.rq_settings`: RQ reads the names in capitals."""

from typing import Final

import leadgen.jobs.drain  # noqa: F401 - imported now, so that the first drain after a start is as fast as any other
from leadgen import log
from leadgen.config import load

_config = load("database_url", "redis_url")
# Must come first: RQ adds its own handlers only if there are none.
log.configure(_config.log_level)

REDIS_URL: Final = _config.redis_url

# At INFO, RQ logs four lines per job; the drain logs its own result.
DICT_CONFIG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "incremental": True,
    "loggers": {"rq.worker": {"level": "WARNING"}},
}
