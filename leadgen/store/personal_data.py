"""The rows of a person: found by what their columns say, exported, and removed when they have expired."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from leadgen.domain.erasure import ErasureKey, Identity
from leadgen.store.connection import Connection
from leadgen.store.queries import load

EXPIRED_MOST: Final = 10_000  # intakes in memory at a time
BATCH: Final = 500  # intakes in a transaction, which takes a fraction of a second
_FETCH: Final = 2_000  # rows

_SQL: Final = load("personal_data")

Counts: TypeAlias = Counter[str]  # rows by table
Entries: TypeAlias = list[dict[str, Any]]  # intakes and leads as the database's functions take them


@dataclass(frozen=True, slots=True)
class Trace:
    """An intake, or a lead (with `lead_id`, and with the intake that it is from), by what can name its person."""

    intake_id: UUID | None
    lead_id: int | None
    received_at: datetime
    idempotency_key: str | None
    email: str | None
    phone_e164: str | None
    email_text: str | None
    phone_text: str | None


Identify: TypeAlias = Callable[[Trace], frozenset[Identity]]  # all that a row says its person is known by


def list_traces(connection: Connection, until: datetime | None = None) -> Iterator[Trace]:
    """All intakes that were not erased and all leads, received up to then; a transaction until it is exhausted."""
    with connection.transaction(), connection.cursor("traces", row_factory=class_row(Trace)) as cursor:
        cursor.itersize = _FETCH
        yield from cursor.execute(_SQL["list_traces"], {"until": until})


def find(connection: Connection, person: Identity, identify: Identify) -> list[Trace]:
    """The intakes and leads of a person, in no order."""
    return [trace for trace in list_traces(connection) if person in identify(trace)]


def count_rows(connection: Connection, traces: Iterable[Trace], digest: bytes | None) -> Counts:
    """How many rows of each table these are, with the consents that an earlier erase left."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SQL["count_rows"], {**_ids(traces), "digest": digest}).fetchone()
    return Counts(row or {})


def list_intakes(connection: Connection, traces: Iterable[Trace]) -> list[dict[str, Any]]:
    """Their columns and states, ready for JSON, without what only we can read."""
    return [row for (row,) in connection.execute(_SQL["list_intakes"], [_ids(traces)["intakes"]])]


def list_leads(connection: Connection, traces: Iterable[Trace]) -> list[dict[str, Any]]:
    return [row for (row,) in connection.execute(_SQL["list_leads"], _ids(traces))]


def list_consents(connection: Connection, traces: Iterable[Trace], digest: bytes | None) -> list[dict[str, Any]]:
    """Also those that an earlier erase left, if the digest is known."""
    return [row for (row,) in connection.execute(_SQL["list_consents"], {**_ids(traces), "digest": digest})]


def log_export(connection: Connection, *, actor: str, reason: str, digest: bytes | None, counts: Counts) -> None:
    connection.execute(_SQL["insert_export"], [actor, reason, digest, Jsonb(counts)])


def retain(connection: Connection, months: int, identify: Identify, key: ErasureKey, *, actor: str) -> Counts:
    """Remove all that is older than so many months and not queued; return how many rows of which table.

    Commits batch by batch.
    """
    total = Counts()
    while True:
        with connection.cursor(row_factory=class_row(Trace)) as cursor:
            expired = cursor.execute(_SQL["list_expired"], [months, EXPIRED_MOST]).fetchall()
        removed = Counts()
        for start in range(0, len(expired) + 1, BATCH):
            entries = entries_of(expired[start : start + BATCH], identify, key)
            removed += _remove_expired(connection, months, entries, actor)
        total += removed
        if not removed:
            return total


def entries_of(traces: Iterable[Trace], identify: Identify, key: ErasureKey) -> Entries:
    """What the database's functions have to know: each intake once, and each lead that has none."""
    leads = []
    known: dict[UUID, set[Identity]] = {}
    keys: dict[UUID, str] = {}
    for trace in traces:
        if trace.intake_id is None:
            leads.append({"lead_id": trace.lead_id})
            continue
        known.setdefault(trace.intake_id, set()).update(identify(trace))
        keys[trace.intake_id] = trace.idempotency_key or ""
    return leads + [
        {
            "intake_id": str(intake_id),
            "digests": sorted(key.digest(identity).hex() for identity in identities),
            "forget_key": any(identity.is_in(keys[intake_id]) for identity in identities),
        }
        for intake_id, identities in known.items()
    ]


def _remove_expired(connection: Connection, months: int, entries: Entries, actor: str) -> Counts:
    row = connection.execute(_SQL["remove_expired"], [months, Jsonb(entries), actor]).fetchone()
    return Counts(row[0] if row else {})


def _ids(traces: Iterable[Trace]) -> dict[str, list[Any]]:
    found: Collection[Trace] = list(traces)
    return {
        "intakes": list({trace.intake_id for trace in found if trace.intake_id}),
        "leads": list({trace.lead_id for trace in found if trace.lead_id}),
    }
