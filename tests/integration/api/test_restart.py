"""One key from 64 clients while PostgreSQL restarts: one row, and the same 202 for all clients."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from leadgen.dev.postgres import EmbeddedPostgres
from tests.conftest import Database
from tests.integration.lead import LEAD
from tests.integration.locks import wait_for_lock
from tests.integration.service import until
from tests.integration.stack import Stack, make_stack

CLIENTS = 64
PATIENCE_SECONDS = 60
MOMENTS = (0.0, 0.01, 0.03, 0.1)  # after which the restart begins; the last comes when all have their answer

Answer: TypeAlias = tuple[str, str, str]


class Crowd:
    """Clients that post the same body with one key at the same moment, and retry until they get a 202."""

    def __init__(self, stack: Stack, key: str) -> None:
        self._stack = stack
        self._key = key
        self._gate = threading.Barrier(CLIENTS + 1)
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._pool.submit(self._insist) for _ in range(CLIENTS)]
        self._gate.wait(10)

    @property
    def answered(self) -> int:
        return sum(client.done() for client in self._clients)

    def answers(self) -> set[Answer]:
        """The different ones."""
        with self._pool:
            return {client.result(PATIENCE_SECONDS) for client in self._clients}

    def _insist(self) -> Answer:
        self._gate.wait(10)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            with suppress(OSError, http.client.HTTPException):
                body = json.dumps(LEAD).encode()
                status, headers, document = self._stack.ask("POST", "/lead/intake", body, self._key)
                if status == 202:
                    return document["intake_id"], document["request_id"], headers["Location"]
                assert (status, "Retry-After" in headers) == (503, True), document
            time.sleep(0.05)
        pytest.fail("no 202 in time")


def kill(server: EmbeddedPostgres) -> None:
    """As the kernel does when memory runs out: what its children are at is cut off wherever it stands."""
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    server.start()


def restart(server: EmbeddedPostgres) -> None:
    server.stop()
    server.start()


@pytest.mark.parametrize("go", [kill, restart])
def test_64_clients_with_one_key_get_one_row_and_the_same_202_while_postgres_restarts(
    tmp_path: Path, own_postgres: Callable[..., Database], redis_url: str, go: Callable[[EmbeddedPostgres], None]
) -> None:
    stack = make_stack(tmp_path, own_postgres(), redis_url)
    server = stack.database.server
    answers = []
    with stack.serve(), stack.run("sweep"):
        with closing(psycopg.connect(stack.database.superuser_url)) as holder:
            holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
            crowd = Crowd(stack, "held")
            wait_for_lock(stack.database)
            assert crowd.answered == 0
            go(server)
        answers.append(crowd.answers())
        for moment in MOMENTS:
            crowd = Crowd(stack, f"after-{moment}")
            time.sleep(moment)
            go(server)
            answers.append(crowd.answers())
        with psycopg.connect(stack.database.superuser_url) as connection:
            rows = connection.execute(
                "SELECT intake_id, x_request_id FROM app.intake_jobs ORDER BY intake_id"
            ).fetchall()
        assert answers == [
            {(str(intake_id), request_id, f"/lead/intake/{intake_id}")} for intake_id, request_id in rows
        ]
        assert until(lambda: stack.count("leads") == len(answers), 30)
