"""The checker: compares the client's ledger with the database, once both are at rest."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Final

from tests.chaos.ledger import Attempt

SHOWN_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """An intake from the database, with the number of its leads and consents."""

    intake_id: str
    key: str
    body: str
    """The SHA-256 of its payload's canonical JSON, in hex."""
    leads: int
    leads_alike: bool
    """Whether each of its leads holds its payload."""
    consents: int
    consents_given: int
    """How many its payload has."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The other rows of the database, besides the intakes."""

    queued: int = 0
    dead: int = 0
    stray_leads: int = 0
    """Leads without an intake."""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The counts, and the violations of each rule; all of these must be empty."""

    acknowledged: int
    stored: int
    lost: Collection[str]
    """Keys that were acknowledged but are not stored."""
    duplicated: Collection[str]
    """Keys that are stored, or are leads, more than once."""
    changed: Collection[str]
    """Keys whose stored payload is not the one that was acknowledged."""
    renamed: Collection[str]
    """Keys that were acknowledged with a different intake id than the stored one."""
    uninvited: Collection[str]
    """Keys that are stored although no client received, or could still receive, an acknowledgement."""
    unfinished: Collection[str]
    """Keys that are stored but are not a lead, or lack some of their consents."""
    left_over: Collection[str]
    """What the queue, the dead and the leads hold beside that."""

    @property
    def faults(self) -> list[str]:
        """A line for each rule that is broken."""
        found = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        return [f"{name}: {len(what)} ({_some(what)})" for name, what in found.items() if what]


def reckon(attempts: Iterable[Attempt], stored: Iterable[Stored], rest: Rest = Rest()) -> Reckoning:
    """Compare a ledger's attempts with the rows, once every unknown outcome has been retried."""
    by_key = defaultdict(list)
    for row in stored:
        by_key[row.key].append(row)
    rows = {key: found[0] for key, found in by_key.items()}
    known = list(attempts)
    acknowledged = [attempt for attempt in known if attempt.acknowledged]
    acknowledged_keys = {attempt.key for attempt in acknowledged}
    met = [(attempt, rows[attempt.key]) for attempt in acknowledged if attempt.key in rows]
    may_be = acknowledged_keys | {
        attempt.key for attempt in known if attempt.wanted == "accept" and _unknown(attempt.status)
    }
    return Reckoning(
        acknowledged=len(acknowledged_keys),
        stored=sum(len(found) for found in by_key.values()),
        lost=sorted(acknowledged_keys - rows.keys()),
        duplicated=sorted(
            key for key, found in by_key.items() if len(found) > 1 or any(row.leads > 1 for row in found)
        ),
        changed=sorted({attempt.key for attempt, row in met if attempt.body != row.body}),
        renamed=sorted({attempt.key for attempt, row in met if attempt.intake_id != row.intake_id}),
        uninvited=sorted(rows.keys() - may_be),
        unfinished=sorted(
            key
            for key, row in rows.items()
            if row.leads < 1 or not row.leads_alike or row.consents != row.consents_given
        ),
        left_over=[f"{name} {count}" for name, count in _counts(rest).items() if count],
    )


def _unknown(status: int | None) -> bool:
    """A server error, a held key, or no answer: the submission may have been stored in each case."""
    return status is None or status >= 500 or status == 409


def _counts(rest: Rest) -> Counter[str]:
    return Counter({field.name.replace("_", " "): getattr(rest, field.name) for field in fields(rest)})


def _some(what: Collection[str]) -> str:
    shown = list(what)[:SHOWN_MOST]
    return ", ".join(shown) + (", ..." if len(what) > SHOWN_MOST else "")
