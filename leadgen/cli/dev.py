"""`leadgen dev`: everything on this machine, with its own PostgreSQL and Redis."""

from dataclasses import replace
from pathlib import Path

import click

from leadgen.config import load
from leadgen.dev import profile
from leadgen.dev.screen import Screen


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The API's port; the default is the port in LEADGEN_BIND."
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".dev",
    show_default=True,
    help="Where this profile keeps its data, logs and secrets.",
)
def dev(port: int | None, folder: Path) -> None:
    """Serve the intake on this machine until Ctrl-C; accepted leads are kept for the next run.

    Starts an embedded PostgreSQL and Redis, unless LEADGEN_DATABASE_URL or LEADGEN_REDIS_URL point to others.
    """
    config = load()
    if port:
        host, _, _ = config.bind.rpartition(":")
        config = replace(config, bind=f"{host}:{port}")
    profile.run(config, folder, Screen())
