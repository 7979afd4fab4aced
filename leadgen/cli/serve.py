"""`leadgen serve`: refuse what would make a 202 a lie, then become gunicorn."""

import os
import sys
import tempfile
from errno import EPERM
from pathlib import Path
from typing import Final

import click

from leadgen.cli.check import check_keys, wait_for_database
from leadgen.config import Config, environ_with, load
from leadgen.errors import LeadgenError

DATABASE_STARTS_SECONDS: Final = 10.0  # after a boot PostgreSQL may still be coming up


@click.command()
def serve() -> None:
    """Serve the API with gunicorn, which takes this process's place.

    Refuses to start without API keys, on a database that may lose a commit, or that lacks a migration.
    """
    config = load("database_url", "redis_url", "api_keys_file")
    check_keys(config)
    wait_for_database(config, DATABASE_STARTS_SECONDS)
    directory = str(fresh_metrics_dir(config))
    os.execve(  # noqa: S606 - no shell: gunicorn must be this very process, PID 1 of a container
        sys.executable,
        [sys.executable, "-m", "gunicorn", "--config", "python:leadgen.api.gunicorn_settings"],
        environ_with(LEADGEN_METRICS_DIR=directory, PROMETHEUS_MULTIPROC_DIR=directory),
    )


def fresh_metrics_dir(config: Config) -> Path:
    """A directory for the metrics, without those of processes long gone, which would be added for ever.

    Raises LeadgenError when it cannot be written.
    """
    try:
        place = config.metrics_dir or _own_place(config.bind)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if config.metrics_dir is None and place.lstat().st_uid != os.getuid():
            raise PermissionError(EPERM, "it is another user's")
        for file in place.glob("*_[0-9]*.db"):  # named by prometheus_client: kind of metric, pid
            file.unlink()
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise LeadgenError(
            f"metrics directory {config.metrics_dir or 'of this user'}",
            f"it cannot be written ({error.strerror})",
            "name one that can be in LEADGEN_METRICS_DIR",
        ) from None
    return place


def _own_place(bind: str) -> Path:
    """The same at each start: a process that becomes gunicorn, or is killed, removes nothing at its end."""
    return Path(tempfile.gettempdir(), f"leadgen-metrics-{os.getuid()}-{bind.rpartition(':')[2]}")
