"""The measured programs and their PostgreSQL and Redis, in a separate folder."""

import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from leadgen.dev.child import Child, last_lines, spawn, stop
from leadgen.dev.ports import LOOPBACK, free_port
from leadgen.dev.postgres import EmbeddedPostgres
from leadgen.dev.redis import BELL, WORKER, EmbeddedRedis
from leadgen.domain.api_key import mint
from tests.bench.errors import CannotMeasure, Missing
from tests.conftest import TEMPLATE, Database, administer, make_database, make_template

PROJECT = Path(__file__).parents[2]
# As on a host (deploys/services/postgres/templates), but for a checkpoint that would fall into one arm only.
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": "2000",
}
START_SECONDS = 30
STOP_SECONDS = 10
WORKERS = 2
INTAKE = "leadgen.wsgi:make()"


@dataclass(frozen=True)
class Server:
    """Something that answers HTTP; `key` is a client's API key, `database` where a 202 has its row."""

    address: str
    key: str
    child: Child
    database: Database | None

    @property
    def intake(self) -> str:
        return f"{self.address}/lead/intake"


NO_QUOTA = {"client_rate": "1000000", "client_burst": "1000000", "client_daily_leads": "1000000000"}


class Stack:
    """The servers, from the start of the block to its end; programs and databases come and go by methods."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leadgen-bench-"))
        self.folder.chmod(0o711)  # when we are root, PostgreSQL runs as `nobody` and must reach its data
        self.postgres = EmbeddedPostgres(self.folder / "postgres", settings=SETTINGS)
        self.redis = EmbeddedRedis(self.folder / "redis")
        self.key, line = mint("bench", frozenset({"intake"}), expires=None)
        self.other_key, other_line = mint("other", frozenset({"intake"}), expires=None)
        self.keys_file = self.folder / "api-keys"
        self.keys_file.write_text(f"{line}\n{other_line}\n", encoding="ascii")
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self.postgres.start()
        make_template(self.postgres)
        self.redis.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.redis.stop()
        self.postgres.stop()
        shutil.rmtree(self.postgres.home)
        shutil.rmtree(self.folder, ignore_errors=True)  # the folder before may be all that was in it

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A migrated, empty database."""
        made = make_database(self.postgres, TEMPLATE)
        yield made
        administer(self.postgres, f"DROP DATABASE {made.name} WITH (FORCE)")

    def environ(self, database: Database, checkout: Path = PROJECT, **settings: str) -> dict[str, str]:
        """The environment of one of our services; `settings` are named as in LEADGEN_NAME, in lowercase."""
        environment = {
            "database_url": database.app_url,
            "redis_url": self.redis.url(BELL),
            "api_keys_file": str(self.keys_file),
            **(NO_QUOTA if checkout == PROJECT else {}),  # an older checkout may not know these settings
            **settings,
        }
        return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{checkout}:{PROJECT}"} | {
            f"LEADGEN_{name.upper()}": text for name, text in environment.items()
        }

    @contextmanager
    def program(self, words: Sequence[str | Path], environ: Mapping[str, str], name: str) -> Iterator[Child]:
        """Any program, ended with the block."""
        child = spawn(words, log=self.log(name), environ=environ)
        try:
            yield child
        finally:
            stop(child, (signal.SIGTERM, STOP_SECONDS))

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    @contextmanager
    def service(self, command: str, database: Database, checkout: Path = PROJECT) -> Iterator[Child]:
        """`leadgen worker` or `leadgen sweep`."""
        own = {"redis_url": self.redis.url(WORKER)} if command == "worker" else {}
        environ = self.environ(database, checkout, **own)
        with self.program([*python(checkout), "-m", "leadgen", command], environ, self._name(command)) as child:
            yield child

    @contextmanager
    def api(
        self,
        database: Database,
        *,
        checkout: Path = PROJECT,
        app: str = INTAKE,
        **settings: str,
    ) -> Iterator[Server]:
        """`app` in our gunicorn with our settings: the intake of a checkout, or another application."""
        name = self._name("api")
        bind = f"{LOOPBACK}:{free_port()}"
        metrics = self.folder / f"{name}-metrics"
        metrics.mkdir()
        settings = {
            "bind": bind,
            "database_url": database.api_url,
            "workers": str(WORKERS),
            "metrics_dir": str(metrics),
            **settings,
        }
        environ = self.environ(database, checkout, **settings) | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        options = ("--config", "python:leadgen.api.gunicorn_settings", "--chdir", str(checkout))
        words = [*python(checkout), "-m", "gunicorn", *options, app]
        with self.program(words, environ, name) as child:
            server = Server(f"http://{bind}", self.key, child, database if app == INTAKE else None)
            self.wait_until_answers(server.intake, child, name)
            yield server

    @contextmanager
    def fastapi(self, database: Database) -> Iterator[Server]:
        """The same intake by the peer of that name, in as many processes."""
        name = self._name("fastapi")
        port = free_port()
        words: list[str | Path] = [
            *(peer_python(), "-m", "uvicorn", "tests.bench.peers.fastapi_intake:app", "--workers", str(WORKERS)),
            *("--host", LOOPBACK, "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
            *("--no-access-log", "--log-level", "warning"),
        ]
        with self.program(words, self.environ(database, database_url=database.api_url), name) as child:
            server = Server(f"http://{LOOPBACK}:{port}", self.key, child, database)
            self.wait_until_answers(server.intake, child, name)
            yield server

    @contextmanager
    def ours_and_fastapi(self) -> Iterator[dict[str, Server]]:
        """Each on its own database, so that neither finds the other's rows in its tables."""
        with (
            self.database() as ours,
            self.database() as theirs,
            self.api(ours) as api,
            self.fastapi(theirs) as peer,
        ):
            yield {"ours": api, "FastAPI": peer}

    def wait_until_answers(self, url: str, child: Child, name: str) -> None:
        """Any answer will do: whether it is the right one, each measurement looks itself."""
        until = time.monotonic() + START_SECONDS
        while child.poll() is None and time.monotonic() < until:
            try:
                urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own address
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise CannotMeasure(name, f"it does not answer:{last_lines(self.log(name))}\n", "read what it wrote above")

    def _name(self, what: str) -> str:
        return f"{what}-{next(self._numbers)}"


def peer_python() -> Path:
    """The interpreter with the peers' packages. Raises Missing."""
    found = PROJECT / ".bench/bin/python"
    if not found.exists():
        raise Missing("peers", "they are not installed", "call `make .bench/made`")
    return found


def python(checkout: Path) -> list[str]:
    """The interpreter with a checkout's own packages, whatever folder it is called from."""
    return [sys.executable if checkout == PROJECT else str(checkout / ".venv/bin/python"), "-P"]
