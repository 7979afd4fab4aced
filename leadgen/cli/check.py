"""`leadgen check`: test the whole configuration and report every fault in one run."""

from collections.abc import Callable
from functools import partial
from typing import Final

import click

from leadgen.api.auth import load_ring
from leadgen.config import Config, load
from leadgen.errors import LeadgenError
from leadgen.jobs.doorbell import RedisDoorbell
from leadgen.store import intakes, queue
from leadgen.store.connection import assert_durable, bounded, connect
from leadgen.store.migrations import assert_applied, required

ANSWER_SECONDS: Final = 5.0  # the limit for all answers of a PostgreSQL that freezes after the connection is made


@click.command()
@click.option("--write", is_flag=True, help="Also store an intake as the API does, then roll it back.")
@click.option("--no-redis", is_flag=True, help="Skip Redis: leads are accepted and drained without it.")
def check(write: bool, no_redis: bool) -> None:
    """Check settings, API keys, PostgreSQL (durability, migrations) and Redis; exit 1 on any fault."""
    config = load("database_url", "redis_url", "api_keys_file")
    probes: list[Callable[[Config], None]]
    probes = [check_keys, partial(check_database, write=write), *([] if no_redis else [check_redis])]
    faults = [str(error) for probe in probes for error in _failure(probe, config)]
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise SystemExit(1)
    click.echo(f"configuration: all good{'; an intake can be stored' if write else ''}")


def check_keys(config: Config) -> None:
    """Raise KeyFileError unless the API keys can be used."""
    load_ring(config.api_keys_file)


def check_database(config: Config, *, write: bool = False) -> None:
    """Raise unless PostgreSQL answers, keeps what it commits, and has this release's schema.

    With `write`, also unless an intake can be stored; it is rolled back.
    """
    with (
        queue.translated_errors(),
        connect(config.database_url, "check") as connection,
        bounded(connection, ANSWER_SECONDS),
    ):
        assert_durable(connection, config.database_copies)
        assert_applied(connection, required())
        if write:
            intakes.dry_write(connection)


def check_redis(config: Config) -> None:
    """Raise unless Redis answers. The intake works without it, but leads arrive later."""
    doorbell = RedisDoorbell(config.redis_url, lambda: None, lambda: None)
    try:
        if doorbell.status()["redis"] != "ok":
            raise LeadgenError(
                "redis", "does not answer", "start it; leads are accepted meanwhile and drained by the sweeper"
            )
    finally:
        doorbell.close()


def _failure(probe: Callable[[Config], None], config: Config) -> list[LeadgenError]:
    try:
        probe(config)
    except LeadgenError as error:
        return [error]
    return []
