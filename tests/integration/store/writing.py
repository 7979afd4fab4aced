"""Writers, what they write, and what another transaction holds up."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg

from leadgen.domain.fingerprint import FINGERPRINT_VERSION, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.store import intake_writer
from leadgen.store.intake_writer import IntakeWriter
from leadgen.store.intakes import Intake
from tests.conftest import Database
from tests.integration.locks import wait_for_lock


def make_intake(key: str | None = None, payload: str = '{"n":1}', client: str = "wordpress") -> Intake:
    return Intake(
        intake_id=uuid7(),
        request_id=str(uuid7()),
        client_id=client,
        key_id="k0000001",
        idempotency_key=key,
        fingerprint=fingerprint(payload),
        fingerprint_version=FINGERPRINT_VERSION,
        payload=payload,
        lead='{"full_name":"Ann Example","state":"TX"}',
        email="a@example.com",
        phone_e164=None,
        received_at=datetime.now(UTC),
        answer="{}\n",
    )


@contextmanager
def make_writer(
    url: str, observe: Callable[[int], None] = lambda _: None, copies: int = 1
) -> Iterator[IntakeWriter]:
    writer = IntakeWriter(url, copies=copies, observe=observe)
    yield writer
    writer.close()


def count(database: Database, table: str = "app.intake_jobs") -> int:
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row
    return int(row[0])


@contextmanager
def held_key(database: Database, key: str) -> Iterator[None]:
    """Another transaction that has inserted the key and does not end; rolled back at the end of the block."""
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute(
            "INSERT INTO app.intake_jobs VALUES (%s, %s, 'wordpress', %s, '\\x00', 1, '{}', null, null)",
            [uuid7(), uuid7(), key],
        )
        yield
        holder.rollback()


@contextmanager
def hold_flushers(database: Database, writer: IntakeWriter, pool: ThreadPoolExecutor) -> Iterator[None]:
    """Keep every flusher busy, so that all that the block hands over forms one group."""
    with psycopg.connect(database.superuser_url) as holder:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        for number in range(intake_writer.FLUSHERS):
            pool.submit(writer.write, make_intake(f"plug-{number}"))
            wait_for_lock(database, number + 1)
        yield
        time.sleep(0.05)  # the block's threads have to get as far as the writer
        holder.rollback()
