"""`leadgen sweep`: the sweeper as a service, or one sweep by hand."""

import signal

import click

from leadgen import log
from leadgen.config import load
from leadgen.jobs.drain import drain_batches
from leadgen.jobs.sweeper import SERVICE, Sweeper
from leadgen.store.connection import connect
from leadgen.store.queue import Drained


@click.command()
@click.option("--once", is_flag=True, help="Drain what is waiting, say how much that was, and end.")
def sweep(once: bool) -> None:
    """Turn waiting intakes into leads without Redis; SIGTERM ends it after the batch in hand."""
    config = load("database_url")
    log.configure(config.log_level)
    if once:
        _sweep_once(config.database_url)
    else:
        _sweep(Sweeper(config.database_url, config.release))


def _sweep_once(database_url: str) -> None:
    with connect(database_url, SERVICE) as connection:
        total = sum(drain_batches(connection), start=Drained())
    click.echo(f"{total.leads} leads, {total.put_off} put off, {total.buried} dead")


def _sweep(sweeper: Sweeper) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sweeper.stop())
    sweeper.run()
