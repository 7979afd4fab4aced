"""Intakes that failed to become leads, and what a person does about them: on record, with a name and a reason."""

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
    """An intake that failed. `at` is when it died, was discarded, or is tried again."""

    intake_id: UUID
    client_id: str
    state: str
    attempts: int
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One intake: `state` is queued, retrying, done, dead or discarded. The payload is personal data."""

    intake_id: UUID
    request_id: UUID
    client_id: str
    received_at: datetime
    state: str
    attempts: int
    reason: str | None
    finished_at: datetime | None
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did to an intake."""

    at: datetime
    actor: str
    action: str
    reason: str


def list_failed(connection: Connection, *, discarded: bool, most: int) -> list[Failure]:
    """The intakes that wait for a person or for another attempt, oldest first."""
    with connection.cursor(row_factory=class_row(Failure)) as cursor:
        return cursor.execute(_SQL["list_failed"], {"discarded": discarded, "most": most}).fetchall()


def list_dead(connection: Connection) -> list[UUID]:
    """All that can be replayed or discarded."""
    return [intake_id for (intake_id,) in connection.execute(_SQL["list_dead"])]


def get_job(connection: Connection, intake_id: UUID) -> Job:
    """Raises LeadgenError when there is no such intake."""
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        job = cursor.execute(_SQL["get_job"], [intake_id]).fetchone()
    if job is None:
        raise LeadgenError(f"job {intake_id}", "there is no such intake", "see `leadgen jobs list`")
    return job


def list_audit(connection: Connection, intake_id: UUID) -> list[Deed]:
    with connection.cursor(row_factory=class_row(Deed)) as cursor:
        return cursor.execute(_SQL["list_audit"], [intake_id]).fetchall()


def replay(connection: Connection, intake_id: UUID, *, actor: str, reason: str) -> None:
    """Give a dead intake all its attempts again, from now. Raises LeadgenError when it is not dead."""
    _settle(connection, "replay", intake_id, actor, reason)
    notify(connection)


def discard(connection: Connection, intake_id: UUID, *, actor: str, reason: str) -> None:
    """Close a dead intake's case; its row stays. Raises LeadgenError when it is not dead."""
    _settle(connection, "discard", intake_id, actor, reason)


def _settle(connection: Connection, action: str, intake_id: UUID, actor: str, reason: str) -> None:
    done = connection.execute(_SQL[action], {"intake_id": intake_id, "actor": actor, "reason": reason}).fetchone()
    if done is None:
        state = get_job(connection, intake_id).state
        raise LeadgenError(f"job {intake_id}", f"it is {state}, not dead", _REMEDIES[state])


_REMEDIES: Final = {
    "queued": "it becomes a lead by itself; watch it with `leadgen jobs show`",
    "retrying": "it is tried again by itself; watch it with `leadgen jobs show`",
    "done": "nothing is left to do: it is in app.leads",
    "discarded": "its case is closed; `leadgen jobs show` tells by whom and why",
    # Somebody else moved it between the two statements.
    "dead": "try again",
}
