"""Writers, what they write, and a key that another transaction holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from leadgen.domain.fingerprint import FINGERPRINT_VERSION, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.store.intake_writer import IntakeWriter
from leadgen.store.intakes import Intake
from tests.conftest import Database


def make_intake(key: str | None = None, payload: str = '{"n":1}', client: str = "wordpress") -> Intake:
    return Intake(
        intake_id=uuid7(),
        request_id=uuid7(),
        client_id=client,
        idempotency_key=key,
        fingerprint=fingerprint(payload),
        fingerprint_version=FINGERPRINT_VERSION,
        payload=payload,
        email="a@example.com",
        phone_e164=None,
    )


@contextmanager
def make_writer(url: str, observe: Callable[[int], None] = lambda _: None) -> Iterator[IntakeWriter]:
    writer = IntakeWriter(url, observe=observe)
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
