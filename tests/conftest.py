"""A PostgreSQL and a Redis for the whole session, and for each test a fresh database and an empty Redis."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings

from leadgen.dev.postgres import DATABASE, EmbeddedPostgres
from leadgen.dev.redis import OPERATOR, EmbeddedRedis
from leadgen.store.connection import connect
from leadgen.store.migrations import migrate
from leadgen.store.roles import ROLES, create_roles

# Enough for the races; what a test writes is on disk when it is committed, as in production. Only logging in costs
# less: tests open thousands of connections.
SETTINGS = {"max_connections": "200", "shared_buffers": "64MB", "scram_iterations": "1"}
PASSWORDS = {role: secrets.token_urlsafe(12) for role in ROLES}
TEMPLATE = "template_leadgen"
OWN = "test_own"  # the database of a test that has a server of its own

# How fast an example is says something of the machine only.
settings.register_profile("motorcade", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("motorcade")

_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """A database of one test, by the URLs of those who may use it."""

    name: str
    server: EmbeddedPostgres

    @property
    def superuser_url(self) -> str:
        return self.server.superuser_url.removesuffix(f"/{DATABASE}") + f"/{self.name}"

    @property
    def owner_url(self) -> str:
        return self._url("motorcade_owner")

    @property
    def api_url(self) -> str:
        return self._url("motorcade_api")

    @property
    def app_url(self) -> str:
        return self._url("motorcade_app")

    @property
    def ro_url(self) -> str:
        return self._url("motorcade_ro")

    def _url(self, role: str) -> str:
        return self.server.url(self.name, role, PASSWORDS[role])


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Outside pytest's own tmp_path, which only its owner may enter: as root, PostgreSQL runs as `nobody`."""
    directory = Path(tempfile.mkdtemp(prefix="leadgen-tests-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def copy_postgres(server_directory: Path) -> Callable[..., EmbeddedPostgres]:
    """Make a server, not yet started, from the files of one that has the roles, TEMPLATE and OWN and was stopped.

    To copy them takes a tenth of the time that it takes to make them. The keyword arguments are settings.
    """
    first = EmbeddedPostgres(server_directory / "postgres-first", settings=SETTINGS)
    first.start()
    make_template(first)
    make_database(first, TEMPLATE, OWN)
    first.stop()

    def copy(name: str, **settings: str) -> EmbeddedPostgres:
        server = EmbeddedPostgres(server_directory / name, settings=SETTINGS | settings)
        for part in ("data", "superuser.password"):
            subprocess.run(["cp", "-a", first.home / part, server.home / part], check=True)
        return server

    return copy


@pytest.fixture(scope="session")
def postgres_server(copy_postgres: Callable[..., EmbeddedPostgres]) -> Iterator[EmbeddedPostgres]:
    """The session's server. Never stop or freeze it: take `own_postgres` for that."""
    server = copy_postgres("postgres")
    server.start()
    yield server
    discard(server)


@pytest.fixture(scope="session")
def redis_server(server_directory: Path) -> Iterator[EmbeddedRedis]:
    """The session's server. Never stop or freeze it: take `own_redis` for that."""
    server = EmbeddedRedis(server_directory / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(postgres_server: EmbeddedPostgres) -> Iterator[Database]:
    """A migrated, empty database; dropped afterwards, whoever is still connected."""
    fresh = make_database(postgres_server, TEMPLATE)
    yield fresh
    administer(postgres_server, f"DROP DATABASE {fresh.name} WITH (FORCE)")


@pytest.fixture
def bare_database(postgres_server: EmbeddedPostgres) -> Iterator[Database]:
    """A database with the roles and without any migration."""
    fresh = make_database(postgres_server, "template1")
    yield fresh
    administer(postgres_server, f"DROP DATABASE {fresh.name} WITH (FORCE)")


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """Of the operator, who may do anything, on an empty Redis."""
    url = redis_server.url(OPERATOR)
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def own_postgres(copy_postgres: Callable[..., EmbeddedPostgres]) -> Iterator[Callable[..., Database]]:
    """Make a server of the test's own, which it may stop, freeze and set up as it likes.

    Returns a migrated database on it; the keyword arguments are PostgreSQL's settings.
    """
    servers: list[EmbeddedPostgres] = []

    def start(**settings: str) -> Database:
        server = copy_postgres(f"own-postgres-{next(_numbers)}", **settings)
        servers.append(server)
        server.start()
        return Database(OWN, server)

    yield start
    for server in servers:
        discard(server)
        shutil.rmtree(server.home)


@pytest.fixture
def own_redis(server_directory: Path) -> Iterator[Callable[[], EmbeddedRedis]]:
    """Make a Redis of the test's own, which it may stop and freeze."""
    servers: list[EmbeddedRedis] = []

    def start() -> EmbeddedRedis:
        server = EmbeddedRedis(server_directory / f"own-redis-{next(_numbers)}")
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


def discard(server: EmbeddedPostgres) -> None:
    """Stop a server whose data are thrown away: nothing of it has to reach the disk any more."""
    if server.pid:
        os.kill(server.pid, signal.SIGQUIT)
    server.stop()


def administer(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute(statement)


def make_template(server: EmbeddedPostgres) -> None:
    administer(server, f"CREATE DATABASE {TEMPLATE}")
    template = Database(TEMPLATE, server)
    with connect(template.superuser_url, "tests") as superuser:
        create_roles(superuser, PASSWORDS)
    migrate(template.owner_url, report=lambda _: None)


def make_database(server: EmbeddedPostgres, template: str, name: str | None = None) -> Database:
    fresh = Database(name or f"test_{next(_numbers)}", server)
    administer(server, f"CREATE DATABASE {fresh.name} TEMPLATE {template}")
    with connect(fresh.superuser_url, "tests") as superuser:
        create_roles(superuser, {})  # what is granted on a database itself is not copied
    return fresh
