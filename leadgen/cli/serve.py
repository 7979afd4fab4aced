"""`leadgen serve`: refuse to start if a 202 could be false, then become gunicorn."""

import logging
import os
import sys
from pathlib import Path
from typing import Final

import click

from leadgen import log
from leadgen.api.auth import salvage_ring
from leadgen.api.metrics_dir import fresh_metrics_dir
from leadgen.cli.check import check_database
from leadgen.config import Config, environ_with, load
from leadgen.errors import ConfigError, LeadgenError, TooFewCopies, UnsafeDurability
from leadgen.log import event

_log: Final = logging.getLogger(__name__)


@click.command()
def serve() -> None:
    """Serve the API with gunicorn, which replaces this process.

    Does not start without API keys, nor on a database that may lose a commit. It does start while PostgreSQL is
    down or lacks a migration: submissions get a 503 until they can be stored.
    """
    config = load("database_url", "redis_url", "api_keys_file")
    salvage_ring(config.api_keys_file)  # a bad line is reported by each process, and keeps no other client out
    log.configure(config.log_level)
    tell_obstacle(config)
    os.execve(  # noqa: S606 - no shell: gunicorn must be this very process, PID 1 of a container
        sys.executable,
        [sys.executable, "-m", "gunicorn", "--config", "python:leadgen.api.gunicorn_settings"],
        _sharing(fresh_metrics_dir(config)),
    )


def _sharing(directory: Path | None) -> dict[str, str]:
    """The environment for processes that share their metrics in that directory."""
    if directory is None:
        environ = environ_with()
        for name in ("LEADGEN_METRICS_DIR", "PROMETHEUS_MULTIPROC_DIR"):
            environ.pop(name, None)
        return environ
    return environ_with(LEADGEN_METRICS_DIR=str(directory), PROMETHEUS_MULTIPROC_DIR=str(directory))


def tell_obstacle(config: Config) -> None:
    """Log why no lead can be stored yet. Raises ConfigError and UnsafeDurability, which waiting does not fix.

    A missing standby is different: it may join any moment.
    """
    try:
        check_database(config)
    except LeadgenError as error:
        if isinstance(error, ConfigError | UnsafeDurability) and not isinstance(error, TooFewCopies):
            raise
        event(_log, "started_without_database", level=logging.WARNING, reason=str(error))
