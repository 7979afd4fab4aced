"""The system under test, in one folder: servers behind proxies, and the three services, all kept running."""

import os
import random
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import psycopg

from leadgen.api.metrics_dir import own_place
from leadgen.dev.database import prepare_database
from leadgen.dev.place import Place
from leadgen.dev.ports import LOOPBACK, is_free
from leadgen.dev.postgres import EmbeddedPostgres
from leadgen.dev.processes import Process, where
from leadgen.dev.redis import BELL, OPERATOR, WORKER, EmbeddedRedis
from leadgen.dev.service import Service
from leadgen.dev.sessions import Sessions
from tests.chaos.disk import Disk
from tests.chaos.keeper import Kept
from tests.chaos.postgres_proxy import PostgresProxy
from tests.chaos.proxy import Proxy

CLIENT: Final = "dev"  # whose key the folder has
# Below those that the kernel gives to outgoing connections: a server that is away must find its port free.
PORTS: Final = range(15_000, 32_000)
# Few enough connections that a fault can take them all.
POSTGRES: Final = {"max_connections": "40", "shared_buffers": "64MB"}


class Stack:
    """Everything that a 202 goes through, and nothing of the client's.

    With `disk` PostgreSQL keeps its data there. `module` has other commands `serve`, `worker` and `sweep`.
    """

    postgres_proxy: PostgresProxy
    redis_proxy: Proxy

    def __init__(
        self,
        folder: Path,
        *,
        disk: Disk | None = None,
        settings: Mapping[str, str] | None = None,
        module: str = "leadgen",
    ) -> None:
        self.disk = disk
        self._module = module
        self.place = Place(folder.absolute())
        self.place.make()
        postgres, redis = folder / "postgres", folder / "redis"
        for home in (postgres, redis):
            _choose_port(home)
        if disk:
            (postgres / "elsewhere").symlink_to(disk.folder)
        self.postgres = EmbeddedPostgres(
            postgres, settings={**POSTGRES, **(settings or {})}, log=self.place.log("postgres")
        )
        self.redis = EmbeddedRedis(redis, log=self.place.log("redis"))
        self.api_port = free_port()
        self.kept: dict[str, Kept] = {}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return when the servers answer; the services may need a moment more."""
        self._keep("postgres", self.postgres)
        self._keep("redis", self.redis)
        self.postgres_proxy = self._opened.enter_context(PostgresProxy(self.postgres.port))
        self.redis_proxy = self._opened.enter_context(Proxy(self.redis.port))
        sessions = Sessions(self.place.folder / "sessions")
        sessions.begin()
        self.place.api_key()
        database = prepare_database(self.postgres, self.place.passwords(), lambda _: None)
        for name, command in (("worker", "worker"), ("sweeper", "sweep"), ("api", "serve")):
            environ = self._environ(
                database.api if name == "api" else database.app, WORKER if name == "worker" else BELL
            )
            self._keep(name, _Command(self._module, command, environ, self.place.log(name), sessions))
        if self.disk:
            os.sync()  # its power is cut under load, not while the system is being set up

    def stop(self) -> None:
        """Stop all started parts, in reverse order."""
        self._opened.close()
        shutil.rmtree(own_place(f"{LOOPBACK}:{self.api_port}"), ignore_errors=True)

    def superuser(self) -> psycopg.Connection:
        """To PostgreSQL itself, past the proxy."""
        return psycopg.connect(
            self.postgres.superuser_url, autocommit=True, connect_timeout=5, application_name="chaos"
        )

    def processes(self, name: str) -> list[Process]:
        """Those of a part that live: of the API the master first, then its workers."""
        if name == "postgres":
            return self.postgres.processes()
        leader = self.kept[name].part.pid
        return sorted(where(lambda process: process.session == leader), key=lambda process: process.pid != leader)

    @property
    def secrets(self) -> dict[str, str]:
        """What no log, metric or answer may show."""
        passwords = {f"the password of {role}": word for role, word in self.place.passwords().items()}
        for user in (OPERATOR, BELL, WORKER):
            passwords[f"the password of Redis's {user}"] = urlsplit(self.redis.url(user)).password or ""
        return {**passwords, "the API key": self.place.api_key()}

    def _keep(self, name: str, part: EmbeddedPostgres | EmbeddedRedis | Service) -> None:
        self.kept[name] = Kept(name, part)
        self._opened.callback(self.kept[name].stop)
        self.kept[name].start()

    def _redis_url(self, user: str) -> str:
        return _through(self.redis_proxy, self.redis.port, self.redis.url(user))

    def _environ(self, database_url: str, redis_user: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LEADGEN_DATABASE_URL": _through(self.postgres_proxy, self.postgres.port, database_url),
            "LEADGEN_REDIS_URL": self._redis_url(redis_user),
            "LEADGEN_API_KEYS_FILE": str(self.place.api_keys_file),
            "LEADGEN_BIND": f"{LOOPBACK}:{self.api_port}",
            "LEADGEN_METRICS_DIR": str((self.disk.folder if self.disk else self.place.folder) / "metrics"),
        }


class _Command(Service):
    """Of the module that is wanted, which need not be leadgen."""

    def __init__(
        self, module: str, command: str, environ: Mapping[str, str], log: Path, sessions: Sessions
    ) -> None:
        super().__init__(command, environ, log, sessions)
        self._command = [sys.executable, "-m", module, command]


def free_port() -> int:
    """One that no outgoing connection gets."""
    return next(port for port in iter(lambda: random.SystemRandom().choice(PORTS), 0) if is_free(port))


def _through(proxy: Proxy, port: int, url: str) -> str:
    return url.replace(f"@{LOOPBACK}:{port}/", f"@{LOOPBACK}:{proxy.port}/")


def _choose_port(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    file = home / "port"
    if not file.exists():
        file.write_text(f"{free_port()}\n", encoding="ascii")
