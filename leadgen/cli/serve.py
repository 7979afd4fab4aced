"""`leadgen serve`: refuse to start if a 202 could be false, then become gunicorn."""

import logging
import os
import sys
import tempfile
from errno import EPERM
from pathlib import Path
from typing import Final

import click

from leadgen import log
from leadgen.cli.check import check_database, check_keys
from leadgen.config import Config, environ_with, load
from leadgen.errors import ConfigError, LeadgenError, UnsafeDurability
from leadgen.log import event

_log: Final = logging.getLogger(__name__)


@click.command()
def serve() -> None:
    """Serve the API with gunicorn, which replaces this process.

    Does not start without API keys, nor on a database that may lose a commit. It does start while PostgreSQL is
    down or lacks a migration: submissions get a 503 until they can be stored.
    """
    config = load("database_url", "redis_url", "api_keys_file")
    check_keys(config)
    log.configure(config.log_level)
    tell_obstacle(config)
    directory = str(fresh_metrics_dir(config))
    os.execve(  # noqa: S606 - no shell: gunicorn must be this very process, PID 1 of a container
        sys.executable,
        [sys.executable, "-m", "gunicorn", "--config", "python:leadgen.api.gunicorn_settings"],
        environ_with(LEADGEN_METRICS_DIR=directory, PROMETHEUS_MULTIPROC_DIR=directory),
    )


def tell_obstacle(config: Config) -> None:
    """Log why no lead can be stored yet. Raises ConfigError and UnsafeDurability, which waiting does not fix."""
    try:
        check_database(config)
    except (ConfigError, UnsafeDurability):
        raise
    except LeadgenError as error:
        event(_log, "started_without_database", level=logging.WARNING, reason=str(error))


def fresh_metrics_dir(config: Config) -> Path:
    """A directory for the metrics, cleared of those of ended processes, which would be counted forever.

    Raises LeadgenError when it cannot be written.
    """
    try:
        place = config.metrics_dir or _own_place(config.bind)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if config.metrics_dir is None and place.lstat().st_uid != os.getuid():
            raise PermissionError(EPERM, "it belongs to another user")
        for file in place.glob("*_[0-9]*.db"):  # named by prometheus_client: kind of metric, pid
            file.unlink()
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise LeadgenError(
            f"metrics directory {config.metrics_dir or 'of this user'}",
            f"it cannot be written ({error.strerror})",
            "set LEADGEN_METRICS_DIR to a directory that can be written",
        ) from None
    return place


def _own_place(bind: str) -> Path:
    """The same at each start: a process that becomes gunicorn, or is killed, cannot clean up when it ends."""
    return Path(tempfile.gettempdir(), f"leadgen-metrics-{os.getuid()}-{bind.rpartition(':')[2]}")
