"""`leadgen serve`: refuse what would make a 202 a lie, then become gunicorn."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from leadgen.cli.check import check_keys, wait_for_database
from leadgen.config import environ_with, load

DATABASE_STARTS_SECONDS: Final = 10.0  # after a boot PostgreSQL may still be coming up


@click.command()
def serve() -> None:
    """Serve the API with gunicorn, which takes this process's place.

    Refuses to start without API keys, on a database that may lose a commit, or that lacks a migration.
    """
    config = load("database_url", "redis_url", "api_keys_file")
    check_keys(config)
    wait_for_database(config, DATABASE_STARTS_SECONDS)
    directory = str(_fresh(config.metrics_dir))
    os.execve(  # noqa: S606 - no shell: gunicorn must be this very process, PID 1 of a container
        sys.executable,
        [sys.executable, "-m", "gunicorn", "--config", "python:leadgen.api.gunicorn_settings"],
        environ_with(LEADGEN_METRICS_DIR=directory, PROMETHEUS_MULTIPROC_DIR=directory),
    )


def _fresh(metrics_dir: Path | None) -> Path:
    """An empty directory for the metrics: those of processes long gone would be added for ever."""
    if metrics_dir is None:
        return Path(tempfile.mkdtemp(prefix="leadgen-metrics-"))
    shutil.rmtree(metrics_dir, ignore_errors=True)
    metrics_dir.mkdir(parents=True)
    return metrics_dir
