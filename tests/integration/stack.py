"""The services of one test on one database, and a client of their API."""

import http.client
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from leadgen.api.metrics_dir import MEMORY
from leadgen.dev.ports import free_port
from leadgen.domain import api_key
from tests.conftest import Database
from tests.integration.lead import LEAD
from tests.integration.service import Service, until

CLIENTS = 16
METRICS = tempfile.TemporaryDirectory(prefix="leadgen-tests-", dir=MEMORY)  # removed when the tests end


@dataclass
class Stack:
    """The settings that all services of one test share, and a client of its API."""

    directory: Path
    settings: dict[str, str]
    key: str
    port: int
    database: Database

    @contextmanager
    def serve(self) -> Iterator[Service]:
        with Service(self.directory, "serve", **self.settings) as service:
            assert until(lambda: self.answers() or service.process.poll() is not None), service.log
            assert service.process.poll() is None, service.log
            yield service

    @contextmanager
    def serve_anyhow(self) -> Iterator[Service]:
        """Served, ready or not."""
        with Service(self.directory, "serve", **self.settings) as service:
            assert until(self.listens), service.log
            yield service

    def run(self, *command: str) -> Service:
        drains = command[0] in {"worker", "sweep"}  # which the API's role in the database may not
        own = {"database_url": self.database.app_url} if drains else {}
        return Service(self.directory, *command, **self.settings | own)

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/lead/ready")[0] == 200
        except OSError:
            return False

    def listens(self) -> bool:
        try:
            return self.ask("GET", "/lead/health")[0] == 200
        except OSError:
            return False

    def text(self, path: str) -> str:
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        key: str | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        used = connection or self.connect()
        try:
            used.request(method, path, body, headers)
            response = used.getresponse()
            text = response.read()
        finally:
            if connection is None:
                used.close()
        return response.status, dict(response.getheaders()), json.loads(text)

    def post(
        self, key: str | None = None, connection: http.client.HTTPConnection | None = None
    ) -> tuple[int, Any]:
        status, _, document = self.ask("POST", "/lead/intake", json.dumps(LEAD).encode(), key, connection)
        return status, document

    def post_many(self, number: int) -> list[int]:
        """Post from several clients over kept connections; the status of each answer."""

        def post_some(_: int) -> list[int]:
            connection = self.connect()
            statuses = [self.post(str(uuid4()), connection)[0] for _ in range(number // CLIENTS)]
            connection.close()
            return statuses

        with ThreadPoolExecutor(CLIENTS) as pool:
            return [status for statuses in pool.map(post_some, range(CLIENTS)) for status in statuses]

    def count(self, table: str) -> int:
        with psycopg.connect(self.database.superuser_url) as connection:
            row = connection.execute(f"SELECT count(*) FROM app.{table}").fetchone()
        assert row
        return int(row[0])


def make_stack(directory: Path, database: Database, redis_url: str) -> Stack:
    key, line = api_key.mint("wordpress", frozenset({"intake"}), None)
    (directory / "keys").write_text(line + "\n")
    port = free_port()
    settings = {
        "database_url": database.api_url,
        "redis_url": redis_url,
        "api_keys_file": str(directory / "keys"),
        "bind": f"127.0.0.1:{port}",
        "metrics_dir": f"{METRICS.name}/{port}",
    }
    return Stack(directory, settings, key, port, database)
