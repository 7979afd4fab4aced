"""`leadgen dev`: everything on this machine, with its own PostgreSQL and Redis."""

import re
from dataclasses import replace
from pathlib import Path

import click

from leadgen.config import load
from leadgen.dev import profile
from leadgen.dev.errors import CannotStart
from leadgen.dev.screen import Screen


@click.command()
@click.option("--port", metavar="NUMBER", help="The API's port; the default is the port in LEADGEN_BIND.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".dev",
    show_default=True,
    help="Where this profile keeps its data, logs and secrets.",
)
def dev(port: str | None, folder: Path) -> None:
    """Serve the intake on this machine until Ctrl-C; accepted leads are kept for the next run.

    Starts an embedded PostgreSQL and Redis, unless LEADGEN_DATABASE_URL or LEADGEN_REDIS_URL point to others.
    """
    config = load()
    if port is not None:
        host, _, _ = config.bind.rpartition(":")
        config = replace(config, bind=f"{host}:{_number(port)}")
    profile.run(config, folder, Screen())


def _number(port: str) -> int:
    # Text, and not click's own type: `make run PORT=…` is what people type, and its usage would name other words.
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise CannotStart(f"port {port!r}", "is not a number from 1 to 65535", "give one, such as 8001")
    return int(port)
