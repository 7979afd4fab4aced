"""A model of the outbox in memory, without PostgreSQL: its expected state after any event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from leadgen.domain.backoff import MAX_ATTEMPTS
from leadgen.domain.fingerprint import FINGERPRINT_VERSION, canonical_json, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.jobs.sweeper import OVERDUE_SECONDS
from leadgen.store.intakes import Intake, Receipt
from leadgen.store.queue import Drained, Failed
from tests.integration.outbox import READ, lead_with

Sent: TypeAlias = tuple[str, str | None, int]  # client, key and the number of the body

BODIES = (
    READ,
    lead_with(notes="two", consent=READ["consent"] * 2),
    lead_with(notes="picky"),
    lead_with(headcount="ten"),
    lead_with(full_name=None),
)
# Why PostgreSQL rejects a body: always, or only while the test makes it picky.
NEVER = {3: "22P02 InvalidTextRepresentation", 4: "23514 CheckViolation leads leads_have_a_name"}
PICKY = {2: "23514 CheckViolation leads picky"}


@dataclass
class Kept:
    """An accepted intake. `state`: queued, retrying, done, dead or discarded; `due`: claimable from then on."""

    intake: Intake
    body: int
    due: datetime
    state: str = "queued"
    attempts: int = 0
    reason: str | None = None

    @property
    def id(self) -> UUID:
        return self.intake.intake_id


def make_intake(sent: Sent) -> Intake:
    """As the API makes it."""
    client, key, body = sent
    payload = canonical_json(BODIES[body])
    return Intake(
        intake_id=uuid7(),
        request_id=str(uuid7()),
        client_id=client,
        key_id="k0000001",
        idempotency_key=key,
        fingerprint=fingerprint(payload),
        fingerprint_version=FINGERPRINT_VERSION,
        payload=payload,
        lead=payload,
        email="ann@example.com",
        phone_e164=None,
        received_at=datetime.now(UTC),
        answer=f'{{"edition": {body}}}\n',
    )


def identity(receipt: Receipt | Intake) -> tuple[UUID, str, bytes, str]:
    """What an answer is made of."""
    return receipt.intake_id, receipt.request_id, receipt.fingerprint, receipt.answer


class Model:
    """The outbox, at the time `now`."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.kept: list[Kept] = []
        self.by_key: dict[tuple[str, str], Kept] = {}
        self.deeds: list[tuple[str, UUID]] = []
        self.refused: Mapping[int, str] = NEVER

    def store(self, sent: Sequence[Sent], intakes: Sequence[Intake], receipts: Mapping[UUID, Receipt]) -> None:
        """Keep the first receipt of each key, and check that all later ones of that key are equal."""
        assert receipts.keys() == {intake.intake_id for intake in intakes}
        for (_, _, body), intake in zip(sent, intakes, strict=True):
            if not receipts[intake.intake_id].replayed:
                assert intake.key not in self.by_key, "a second one got a receipt as the first"
                self.by_key[intake.key] = Kept(intake, body, self.now)
                self.kept.append(self.by_key[intake.key])
        for intake in intakes:
            assert identity(receipts[intake.intake_id]) == identity(self.by_key[intake.key].intake)

    def where(self, *states: str) -> list[Kept]:
        """The intakes in these states, in the order of the ids."""
        return sorted((kept for kept in self.kept if kept.state in states), key=lambda kept: kept.id)

    def at_rest(self) -> list[Kept]:
        return [kept for kept in self.where("retrying") if kept.due > self.now]

    def claimable(self) -> list[Kept]:
        """A fresh intake always is, whatever the clock says."""
        return [kept for kept in self.where("queued", "retrying") if not kept.attempts or kept.due <= self.now]

    def is_overdue(self) -> bool:
        oldest = self.now - timedelta(seconds=OVERDUE_SECONDS)
        return any(not oldest <= kept.due <= self.now for kept in self.claimable())

    def drain(self, batch: Sequence[Kept]) -> Drained:
        """Let these become leads or fail; the caller decides when a failed one is `due`."""
        failed = [kept for kept in batch if kept.body in self.refused]
        for kept in batch:
            kept.state = "done"
        for kept in failed:
            kept.attempts += 1
            kept.state = "dead" if kept.attempts == MAX_ATTEMPTS else "retrying"
            kept.reason = self.refused[kept.body]
        failures = tuple(Failed(kept.id, kept.attempts, self.refused[kept.body]) for kept in failed)
        return Drained(len(batch) - len(failed), failures)

    def settle(self, action: str, kept: Kept) -> None:
        """What an operator does to one that is dead."""
        self.deeds.append((action, kept.id))
        if action == "replay":
            kept.state, kept.attempts, kept.reason, kept.due = "queued", 0, None, self.now
        else:
            kept.state = "discarded"
