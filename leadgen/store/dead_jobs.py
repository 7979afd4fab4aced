"""Intakes that failed to become leads, and the actions on them: each is logged with a name and a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from leadgen.errors import LeadgenError
from leadgen.store.connection import Connection
from leadgen.store.queries import load
from leadgen.store.queue import notify

_SQL: Final = load("dead_jobs")


@dataclass(frozen=True, slots=True)
class Failure:
    """An intake that failed. `at` is when it died, was discarded, or will be retried."""

    intake_id: UUID
    client_id: str
    state: str
    attempts: int
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One intake: `state` is queued, retrying, done, dead, discarded or erased. The payload is personal data."""

    intake_id: UUID
    request_id: str
    client_id: str
    received_at: datetime
    state: str
    attempts: int
    reason: str | None
    finished_at: datetime | None
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A logged action on an intake."""

    at: datetime
    actor: str
    action: str
    reason: str


def list_failed(connection: Connection, *, discarded: bool, most: int) -> list[Failure]:
    """The intakes that wait for an operator or for another attempt, oldest first."""
    with connection.cursor(row_factory=class_row(Failure)) as cursor:
        return cursor.execute(_SQL["list_failed"], {"discarded": discarded, "most": most}).fetchall()


def list_dead(connection: Connection) -> list[UUID]:
    """All intakes that can be replayed or discarded."""
    return [intake_id for (intake_id,) in connection.execute(_SQL["list_dead"])]


def get_job(connection: Connection, intake_id: UUID) -> Job:
    """Raises LeadgenError when no intake has this id."""
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        job = cursor.execute(_SQL["get_job"], [intake_id]).fetchone()
    if job is None:
        raise LeadgenError(f"job {intake_id}", "no intake has this id", "see `leadgen jobs list`")
    return job


def list_audit(connection: Connection, intake_id: UUID) -> list[AuditEntry]:
    with connection.cursor(row_factory=class_row(AuditEntry)) as cursor:
        return cursor.execute(_SQL["list_audit"], [intake_id]).fetchall()


def replay(connection: Connection, intake_id: UUID, *, actor: str, reason: str) -> None:
    """Queue a dead intake again, with all its attempts. Raises LeadgenError when it is not dead."""
    _settle(connection, "replay", intake_id, actor, reason)
    notify(connection)


def discard(connection: Connection, intake_id: UUID, *, actor: str, reason: str) -> None:
    """Discard a dead intake; its row stays. Raises LeadgenError when it is not dead."""
    _settle(connection, "discard", intake_id, actor, reason)


def _settle(connection: Connection, action: str, intake_id: UUID, actor: str, reason: str) -> None:
    done = connection.execute(_SQL[action], {"intake_id": intake_id, "actor": actor, "reason": reason}).fetchone()
    if done is None:
        state = get_job(connection, intake_id).state
        raise LeadgenError(f"job {intake_id}", f"it is {state}, not dead", _REMEDIES[state])


_REMEDIES: Final = {
    "queued": "it will become a lead on its own; watch it with `leadgen jobs show`",
    "retrying": "it will be retried on its own; watch it with `leadgen jobs show`",
    "done": "nothing is left to do: the lead is in app.leads",
    "discarded": "nothing is left to do; `leadgen jobs show` says who discarded it and why",
    "erased": "nothing is left to do: its person asked for that",
    # Another session changed it between the two statements.
    "dead": "try again",
}
