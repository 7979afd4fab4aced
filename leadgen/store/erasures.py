"""Erasures: taking a person's rows away, and the tombstones that repeat it in a restored database."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from leadgen.domain.erasure import ErasureKey, Tombstone
from leadgen.store.connection import Connection
from leadgen.store.personal_data import Counts, Entries, Identify, Trace, entries_of, list_traces
from leadgen.store.queries import load

REPLAYED: Final = "erased before"

_SQL: Final = load("erasures")


def erase(connection: Connection, tombstone: Tombstone, entries: Entries, *, actor: str, reason: str) -> Counts:
    """Erase these intakes and leads, keep the tombstone, log it, and return how many rows of which table."""
    row = connection.execute(
        _SQL["erase_person"],
        [
            *(tombstone.erasure_id, tombstone.kind, tombstone.digest, tombstone.key_id, tombstone.erased_at),
            *(Jsonb(entries), actor, reason),
        ],
    ).fetchone()
    return Counts(row[0] if row else {})


def list_tombstones(connection: Connection) -> list[Tombstone]:
    with connection.cursor(row_factory=class_row(Tombstone)) as cursor:
        return cursor.execute(_SQL["list_tombstones"]).fetchall()


def add_tombstones(connection: Connection, tombstones: Iterable[Tombstone]) -> int:
    """Add those that are not known, and return how many."""
    added = 0
    for tombstone in tombstones:
        row = connection.execute(
            _SQL["insert_tombstone"],
            [
                *(tombstone.erasure_id, tombstone.kind, tombstone.digest, tombstone.key_id, tombstone.erased_at),
                Jsonb(dict(tombstone.counts)),
            ],
        ).fetchone()
        added += row is not None
    return added


def replay(
    connection: Connection, tombstones: Iterable[Tombstone], identify: Identify, key: ErasureKey, *, actor: str
) -> Counts:
    """Erase again what tombstones of this key erased before; return how many rows of which table.

    What a person sent after `erased_at` stays. Commits person by person.
    """
    total = Counts()
    for tombstone, traces in _returned(connection, list(tombstones), identify, key):
        entries = entries_of(traces, identify, key)
        total += erase(connection, tombstone, entries, actor=actor, reason=REPLAYED)
    return total


def _returned(
    connection: Connection, tombstones: list[Tombstone], identify: Identify, key: ErasureKey
) -> list[tuple[Tombstone, list[Trace]]]:
    """The rows of erased persons, each with one tombstone that it must not outlive."""
    if not tombstones:
        return []
    by_digest: dict[bytes, Tombstone] = {}
    for tombstone in sorted(tombstones, key=attrgetter("erased_at")):
        by_digest[tombstone.digest] = tombstone  # the last one of a person covers those before
    found: dict[bytes, list[Trace]] = {}
    for trace in list_traces(connection, max(tombstone.erased_at for tombstone in tombstones)):
        for digest in map(key.digest, identify(trace)):
            if digest in by_digest and trace.received_at <= by_digest[digest].erased_at:
                found.setdefault(digest, []).append(trace)
    return [(by_digest[digest], traces) for digest, traces in found.items()]
