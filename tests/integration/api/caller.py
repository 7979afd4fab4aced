"""The intake's Flask application in this process, and a client of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from werkzeug.test import TestResponse

from leadgen.config import Config
from tests.conftest import Database
from tests.integration.lead import LEAD


class CountingDoorbell:
    """Counts rings. The real doorbell has its own tests; the API only has to ring it."""

    def __init__(self) -> None:
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1

    def status(self) -> dict[str, str]:
        return {"redis": "ok", "worker": "ok"}

    def close(self) -> None:
        """Nothing to let go of."""


class Caller:
    """A client of the API with its key."""

    def __init__(self, app: Flask, key: str) -> None:
        self.app = app
        self.key = key

    def post(self, body: dict[str, Any] | bytes = LEAD, key: str | None = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | headers
        if key is not None:
            sent["Idempotency-Key"] = key
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.app.test_client().post("/lead/intake", data=data, headers=sent)

    def get(self, path: str) -> TestResponse:
        return self.app.test_client().get(path, headers={"Authorization": f"Bearer {self.key}"})


@dataclass
class Keys:
    """The keys file, and the key of each client in it."""

    file: Path
    of: dict[str, str]


def make_config(database: Database, keys: Keys) -> Config:
    return Config(database_url=database.api_url, redis_url="redis://127.0.0.1:1", api_keys_file=keys.file)


def rows(database: Database, query: str) -> list[Any]:
    with psycopg.connect(database.superuser_url) as connection:
        return connection.execute(query).fetchall()


def assert_problem(answer: TestResponse, status: int, slug: str) -> dict[str, Any]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    document = answer.get_json()
    assert document["type"] == f"/lead/problems/{slug}"
    assert document["status"] == status
    assert document["request_id"] == answer.headers["X-Request-Id"]
    return dict(document)
