"""What a person wrote is in no log and not in Redis, also when a row fails: a canary is searched everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg
import pytest
import redis

from leadgen.dev.redis import OPERATOR, EmbeddedRedis
from tests.conftest import Database
from tests.integration.outbox import Outbox, lead_with
from tests.integration.service import until
from tests.integration.stack import make_stack

CANARY: Final = "Zebulon Canarybird"
INSERT: Final = "INSERT INTO app.leads (full_name, state, notes, payload) VALUES (%s, 'TX', %s, '{}')"
POISONS = (
    lead_with(full_name=CANARY, starts_at=f"not a day of {CANARY}"),  # quoted by the message itself
    lead_with(full_name=CANARY, city=CANARY, notes=CANARY, state=None),  # by the DETAIL
)


def log_of(database: Database) -> str:
    return (database.server.directory / "postgres.log").read_text(encoding="utf-8")


def contents(server: redis.Redis) -> bytes:
    return b"".join(
        key + (server.dump(key) or b"") + str(server.hgetall(key)).encode() if server.type(key) == b"hash" else key
        for key in server.scan_iter()
    )


def test_the_name_of_a_person_whose_row_fails_is_in_no_log_and_not_in_redis(
    tmp_path: Path, own_postgres: Callable[..., Database], own_redis: Callable[[], EmbeddedRedis]
) -> None:
    database, bell = own_postgres(), own_redis()
    stack = make_stack(tmp_path, database, bell.url(OPERATOR))
    with Outbox(database) as outbox, stack.serve() as api, stack.run("worker") as worker:
        failing = outbox.accept(*POISONS)
        assert stack.post()[0] == 202
        assert until(lambda: len([1 for attempts, _ in outbox.attempts().values() if attempts]) == len(failing))
        with stack.run("sweep") as sweeper:
            assert until(lambda: "sweeper_started" in sweeper.log)
            outbox.end_rests()
            outbox.age(60)
            assert until(lambda: min(attempts for attempts, _ in outbox.attempts().values()) >= 2)
        errors = [error for _, error in outbox.attempts().values()]
        with redis.Redis.from_url(bell.url(OPERATOR)) as client:
            kept = contents(client)
        logs = [api.log, worker.log, sweeper.log, *errors, (bell.directory / "redis.log").read_text()]
        logs.append(log_of(database))
    assert "intake_failed" in worker.log
    assert not [log for log in logs if "canary" in (log or "").lower()]
    assert b"canary" not in kept.lower()


@pytest.mark.parametrize("who", ["app_url", "owner_url", "superuser_url"])
def test_no_role_writes_a_row_into_postgres_log(own_postgres: Callable[..., Database], who: str) -> None:
    database = own_postgres()
    refused = pytest.raises(psycopg.errors.CheckViolation)
    with psycopg.connect(getattr(database, who)) as connection, refused as caught:
        connection.execute(INSERT, [CANARY, CANARY])
    assert CANARY in str(caught.value), "PostgreSQL quotes the row to its client"
    log = log_of(database)
    assert "ready to accept connections" in log
    assert "Canary" not in log
