"""`python -m leadgen.jobs.sweeper_process`: the sweeper in a process that loads nothing else."""

import signal

from leadgen import log
from leadgen.config import load
from leadgen.jobs.sweeper import Sweeper


def sweep() -> None:
    """Sweep until SIGTERM or SIGINT."""
    config = load("database_url")
    log.configure(config.log_level)
    sweeper = Sweeper(config.database_url, config.release)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sweeper.stop())
    sweeper.run()


if __name__ == "__main__":
    sweep()
