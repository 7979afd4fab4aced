"""Accepted intakes: storing them, answering a repeated key, and reporting their status."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from leadgen.domain import synthetic
from leadgen.domain.fingerprint import FINGERPRINT_VERSION, canonical_json, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.store.connection import Connection, confirm
from leadgen.store.queries import load

_SQL: Final = load("intake_jobs")


@dataclass(frozen=True, slots=True)
class Intake:
    """An intake that a 202 acknowledges.

    `payload` is the client's JSON text, `lead` the JSON text of its lead's columns, `answer` the body of the 202.
    """

    intake_id: UUID
    request_id: str
    client_id: str
    key_id: str | None
    idempotency_key: str | None
    fingerprint: bytes
    fingerprint_version: int
    payload: str
    lead: str
    email: str | None
    phone_e164: str | None
    received_at: datetime
    answer: str

    @property
    def key(self) -> tuple[str, str]:
        """The unique key: the client's key, or without one the intake's id."""
        return (self.client_id, self.idempotency_key or str(self.intake_id))


@dataclass(frozen=True, slots=True)
class Receipt:
    """The stored row for an intake: its own, or the earlier one with the same key (a replay).

    `erased`: of the earlier one only the key is left, because its person asked for that.
    """

    intake_id: UUID
    request_id: str
    fingerprint: bytes
    fingerprint_version: int
    answer: str
    replayed: bool
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """The status of an intake; `finished_at` is when it became a lead or was given up."""

    status: str
    request_id: str
    received_at: datetime
    finished_at: datetime | None


def accept(connection: Connection, intakes: Sequence[Intake]) -> dict[UUID, Receipt]:
    """Store a batch and return the receipts by intake id.

    Rows are inserted sorted by key, one per key: two batches in opposite orders would deadlock. An intake is
    missing from the result if the writer that held its key rolled back: try it again.
    """
    first = {intake.key: intake for intake in reversed(intakes)}
    stored = _insert(connection, [first[key] for key in sorted(first)])
    receipts = {intake.intake_id: _own(intake) for intake in intakes if intake.intake_id in stored}
    if rest := [intake for intake in intakes if intake.intake_id not in stored]:
        receipts |= _resolve(connection, rest)
        confirm(connection)
    return receipts


def dry_write(connection: Connection) -> None:
    """Accept a synthetic intake and roll it back: raises what a real one would, and leaves nothing behind."""
    payload = canonical_json(synthetic.DOCUMENT)
    intake = Intake(
        intake_id=uuid7(),
        request_id=str(uuid7()),
        client_id=synthetic.CLIENT_ID,
        key_id=None,
        idempotency_key=None,
        fingerprint=fingerprint(payload),
        fingerprint_version=FINGERPRINT_VERSION,
        payload=payload,
        lead=canonical_json(synthetic.LEAD),
        email=synthetic.DOCUMENT["contact"]["email"],
        phone_e164=None,
        received_at=datetime.now(UTC),
        answer="",
    )
    with connection.transaction(force_rollback=True):
        accept(connection, [intake])
        # The row may fit into a page that exists already. The next one may not: then it needs space on the disk.
        connection.execute(_SQL["limit_memory"])
        connection.execute(_SQL["take_space"])


def lock_tables(connection: Connection) -> None:
    """Wait for the table locks first, so that the next lock timeout in this transaction means a held key."""
    connection.execute(_SQL["lock_tables"])


def find_by_key(connection: Connection, client_id: str, idempotency_key: str) -> Receipt | None:
    """The intake that an earlier request stored with this key, as safe as if it were stored now."""
    found = _find_by_keys(connection, [(client_id, idempotency_key)]).get((client_id, idempotency_key))
    if found:
        confirm(connection)
    return found


def get_submission(connection: Connection, intake_id: UUID, client_id: str) -> Submission | None:
    """A client's own submission; None for one that belongs to another client."""
    with connection.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(_SQL["get_submission"], [intake_id, client_id]).fetchone()


def _insert(connection: Connection, intakes: Sequence[Intake]) -> set[UUID]:
    columns = zip(
        *(
            (
                intake.intake_id,
                intake.request_id,
                intake.client_id,
                intake.key_id,
                intake.idempotency_key,
                intake.fingerprint,
                intake.fingerprint_version,
                intake.payload,
                intake.lead,
                intake.email,
                intake.phone_e164,
                intake.received_at,
                intake.answer,
            )
            for intake in intakes
        ),
        strict=True,
    )
    rows = connection.execute(_SQL["insert_intakes"], [list(column) for column in columns], prepare=True)
    return {intake_id for (intake_id,) in rows}


def _resolve(connection: Connection, intakes: Iterable[Intake]) -> dict[UUID, Receipt]:
    """Find the rows of those not stored, in a separate statement: only a new snapshot sees the row waited for."""
    keyed = {intake.intake_id: intake for intake in intakes if intake.idempotency_key is not None}
    found = _find_by_keys(connection, [intake.key for intake in keyed.values()])
    receipts = {
        # The row can be this intake's own: then our earlier try did commit, and its reply was lost.
        intake_id: _own(intake) if found[intake.key].intake_id == intake_id else found[intake.key]
        for intake_id, intake in keyed.items()
        if intake.key in found
    }
    keyless = {intake.intake_id: intake for intake in intakes if intake.idempotency_key is None}
    if keyless:
        rows = connection.execute(_SQL["find_stored"], [list(keyless)])
        receipts |= {intake_id: _own(keyless[intake_id]) for (intake_id,) in rows}
    return receipts


def _find_by_keys(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Receipt]:
    clients, idempotency_keys = [list(part) for part in zip(*keys, strict=True)] if keys else ([], [])
    # Not prepared: a plan cached on a nearly empty table scans all of a long one (49 ms at 150,000 rows).
    rows = connection.execute(_SQL["find_by_keys"], [clients, idempotency_keys], prepare=False)
    return {
        (client_id, key): Receipt(
            intake_id, request_id, bytes(fingerprint), version, answer, replayed=True, erased=erased
        )
        for client_id, key, intake_id, request_id, fingerprint, version, answer, erased in rows
    }


def _own(intake: Intake) -> Receipt:
    return Receipt(
        intake.intake_id,
        intake.request_id,
        intake.fingerprint,
        intake.fingerprint_version,
        intake.answer,
        replayed=False,
    )
