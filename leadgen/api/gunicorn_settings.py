"""Gunicorn's settings, for `leadgen serve`; each that is not the default has its reason."""

# First of all: psycopg decides when it is imported whether it waits in gevent's way, and gunicorn itself patches
# only after it has imported the worker class, which imports nearly everything.
from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - see above
from pathlib import Path

from leadgen.config import load

_config = load()

wsgi_app = "leadgen.wsgi:make()"
bind = [_config.bind]  # a socket from systemd (LISTEN_FDS) goes before it
workers = _config.workers
worker_class = "leadgen.api.gunicorn_worker.IntakeWorker"  # chosen by measuring: docs/why.md
worker_connections = 1_000
keepalive = 5  # seconds; also what a request's headers may take, and how long an idle client delays a stop
timeout = 30  # seconds: a worker whose event loop hangs this long is replaced
graceful_timeout = 20  # seconds: twice what a request may take, five for its body and five for its commit
control_socket_disable = True  # it would write a file; the container's root is read-only
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat never waits for a disk
loglevel = _config.log_level.lower()
logger_class = "leadgen.api.gunicorn_log.EventLog"
