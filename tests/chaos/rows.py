"""The rows of the database, read for the checker."""

import time
from collections.abc import Iterator
from typing import Final

import psycopg

from tests.chaos.leads import digest
from tests.chaos.reckoning import Rest, Stored

POLL_SECONDS: Final = 0.2

_INTAKES: Final = """
SELECT intake.intake_id::text, intake.idempotency_key, intake.payload,
       (SELECT count(*) FROM app.leads AS lead WHERE lead.intake_id = intake.intake_id),
       (SELECT coalesce(bool_and(lead.payload = intake.payload
                                 AND lead.full_name = intake.payload #>> '{contact,full_name}'
                                 AND lead.idempotency_key = intake.idempotency_key), true)
        FROM app.leads AS lead WHERE lead.intake_id = intake.intake_id),
       (SELECT count(*) FROM app.consents AS consent WHERE consent.intake_id = intake.intake_id),
       jsonb_array_length(coalesce(intake.payload -> 'consent', '[]'))
FROM app.intake_jobs AS intake
"""

_REST: Final = """
SELECT (SELECT count(*) FROM app.intake_queue),
       (SELECT count(*) FROM app.dead_jobs),
       (SELECT count(*) FROM app.leads
        WHERE NOT EXISTS (SELECT FROM app.intake_jobs WHERE intake_jobs.intake_id = leads.intake_id))
"""


def stored(connection: psycopg.Connection) -> Iterator[Stored]:
    """Every intake, read in batches, because there may be a million."""
    with connection.transaction(), connection.cursor("stored") as cursor:
        for intake_id, key, payload, leads, alike, consents, given in cursor.execute(_INTAKES):
            yield Stored(intake_id, key, digest(payload), leads, alike, consents, given)


def rest(connection: psycopg.Connection) -> Rest:
    row = connection.execute(_REST).fetchone()
    return Rest(*row) if row else Rest()


def drained(connection: psycopg.Connection, seconds: float) -> float | None:
    """Wait until the queue is empty, and return how long that took; None on a timeout."""
    began = time.monotonic()
    while rest(connection).queued:
        if time.monotonic() - began > seconds:
            return None
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began
