"""`leadgen sweep`: the sweeper as a service, or one sweep by hand."""

import os
import sys

import click

from leadgen import log
from leadgen.config import load
from leadgen.jobs.batches import drain_batches
from leadgen.jobs.sweeper import SERVICE
from leadgen.store.connection import connect
from leadgen.store.queue import Drained


@click.command()
@click.option("--once", is_flag=True, help="Drain the waiting intakes once, print the counts and exit.")
def sweep(once: bool) -> None:
    """Turn waiting intakes into leads without Redis; SIGTERM stops it after the current batch."""
    config = load("database_url")
    log.configure(config.log_level)
    if once:
        _sweep_once(config.database_url)
    else:
        # A new program: this process has loaded what only commands need and would keep it in memory.
        program = [sys.executable, "-m", "leadgen.jobs.sweeper_process"]
        os.execv(sys.executable, program)  # noqa: S606 - no shell wanted


def _sweep_once(database_url: str) -> None:
    with connect(database_url, SERVICE) as connection:
        total = sum(drain_batches(connection), start=Drained())
    click.echo(f"{total.leads} leads, {total.put_off} put off, {total.buried} dead")
