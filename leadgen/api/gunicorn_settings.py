"""Gunicorn's settings, for `leadgen serve`; each that is not the default has its reason."""

# First of all: psycopg decides when it is imported whether it waits in gevent's way, and gunicorn itself patches
# only after it has imported the worker class, which imports nearly everything.
from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - see above
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from leadgen.config import load

_config = load()

wsgi_app = "leadgen.wsgi:make()"
bind = [_config.bind]  # a socket from systemd (LISTEN_FDS) goes before it
workers = _config.workers
worker_class = "leadgen.api.gunicorn_worker.IntakeWorker"  # chosen by measuring: docs/why.md
worker_connections = 1_000
keepalive = 5  # seconds; also how long an idle client can delay a graceful stop
timeout = 30  # seconds: a worker whose event loop hangs this long is replaced
graceful_timeout = 20  # seconds: four times what a request may take
control_socket_disable = True  # it would write a file; the container's root is read-only
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat never waits for a disk
loglevel = _config.log_level.lower()
logger_class = "leadgen.api.gunicorn_log.EventLog"


def child_exit(_server: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn ships no types
    """Let the metrics of a gone process be merged."""
    mark_process_dead(worker.pid)
