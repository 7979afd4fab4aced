"""`leadgen worker`: RQ's own worker, with the flags that its settings module cannot set."""

import os
import shlex
import sys
from typing import Final

import click

from leadgen.config import load
from leadgen.jobs.rq_bell import QUEUE, WORKER_TTL_SECONDS

COMMAND: Final = (
    *("rq", "worker", "-c", "leadgen.jobs.rq_settings"),
    # Jobs run in this process, since a fork for every drain would cost more than the drain. No pickles, and no job
    # but a drain.
    *("-w", "leadgen.jobs.rq_worker.Worker", "-S", "json", "-j", "leadgen.jobs.rq_worker.DrainJob"),
    # A new process now and then bounds any leak.
    *("--max-jobs", "1000", "--worker-ttl", str(WORKER_TTL_SECONDS)),
    # One queue: with two, RQ takes jobs in a way that loses one when the worker dies.
    QUEUE,
)


@click.command()
@click.option("--print", "only_print", is_flag=True, help="Print the command line instead of running it.")
def worker(only_print: bool) -> None:
    """Run RQ's worker, which replaces this process."""
    if only_print:
        click.echo(shlex.join(COMMAND))
        return
    load("database_url", "redis_url")  # our message for a bad setting, where RQ would print a traceback
    # Not the script `rq`: its first line names a Python that is elsewhere once the folder was moved.
    os.execv(sys.executable, [sys.executable, "-m", "rq.cli", *COMMAND[1:]])  # noqa: S606 - no shell wanted
