"""Gunicorn's settings for `leadgen serve`; each one that is not the default has its reason."""

# This comes first: psycopg decides at import whether to wait through gevent, and gunicorn itself patches only
# after importing the worker class, which imports nearly everything.
from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - see above
from pathlib import Path

from leadgen.config import load

_config = load()

wsgi_app = "leadgen.wsgi:make()"
bind = [_config.bind]  # a socket from systemd (LISTEN_FDS) takes precedence
workers = _config.workers
worker_class = "leadgen.api.gunicorn_worker.IntakeWorker"  # chosen by measurement: docs/why.md
worker_connections = 1_000
keepalive = 5  # seconds; also the limit for a request's headers, and how long an idle client delays a stop
timeout = 30  # seconds: a worker whose event loop hangs this long is replaced
graceful_timeout = 20  # seconds: twice the limit of a request, five for its body and five for its commit
control_socket_disable = True  # it would write a file, but the container's root is read-only
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat must never wait for a disk
loglevel = _config.log_level.lower()
secure_scheme_headers: dict[str, str] = {}  # nothing here needs the scheme, and two that differ would be a 400
forwarder_headers = ""  # by default any program of the host could move the application with a header SCRIPT_NAME
logger_class = "leadgen.api.gunicorn_log.EventLog"
