"""The outbox as a test fills and inspects it."""

import json
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid4

from leadgen.api.reading import Request, read
from leadgen.domain.intake_id import uuid7
from leadgen.store.connection import connect
from leadgen.store.intakes import Intake, accept
from tests.conftest import Database

PAYLOAD: dict[str, Any] = {
    "contact": {"full_name": "Ann Example", "email": "Ann@Example.com", "preferred_contact_method": "email"},
    "request": {
        "service_type": "event_security",
        "timeline": {"mode": "within_a_month", "start_local": "2026-12-01"},
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "notes": "A gate and two doors.",
        "headcount": 4,
    },
    "context": {"utm": {"source": "newsletter"}},
    "consent": [
        {
            "channel": "email",
            "granted": True,
            "text_version": "2026-01",
            "text_sha256": "a" * 64,
            "at": "2026-01-20T10:00:00+01:00",
            "page_url": "https://example.com/quote",
        }
    ],
}
READ: dict[str, Any] = read(PAYLOAD, frozenset({"TX"}), Request()).columns


def lead_with(**columns: object) -> dict[str, Any]:
    """READ with other columns, whatever a request could bring; None takes a column away."""
    return {name: value for name, value in (READ | columns).items() if value is not None}


class Outbox:
    """What the API has stored; `app` is the application's connection, `owner` may do anything."""

    def __init__(self, database: Database) -> None:
        self.url = database.app_url
        self.app = connect(database.app_url, "tests")
        self.owner = connect(database.owner_url, "tests")
        # A test holds its locks until the service that it waits for is there, which may take a while.
        for connection in (self.app, self.owner):
            connection.execute("SET idle_in_transaction_session_timeout = 0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.app.close()
        self.owner.close()

    def accept(self, *leads: dict[str, Any]) -> list[UUID]:
        """Store intakes with these leads as the API does, and return their ids."""
        intakes = [
            Intake(
                intake_id=uuid7(),
                request_id=str(uuid4()),
                client_id="wordpress",
                key_id="k0000001",
                idempotency_key=None,
                fingerprint=b"\0" * 32,
                fingerprint_version=1,
                payload=json.dumps(PAYLOAD),
                lead=json.dumps(lead),
                email="ann@example.com",
                phone_e164=None,
                received_at=datetime.now(UTC),
                answer="{}\n",
            )
            for lead in leads
        ]
        accept(self.app, intakes)
        return [intake.intake_id for intake in intakes]

    def accept_many(self, count: int) -> list[UUID]:
        return self.accept(*[READ] * count)

    def leads(self) -> list[UUID]:
        """One id for each row, in the order of the ids."""
        return self._ids("SELECT intake_id FROM app.leads ORDER BY intake_id")

    def queued(self) -> list[UUID]:
        return self._ids("SELECT intake_id FROM app.intake_queue ORDER BY intake_id")

    def dead(self) -> list[UUID]:
        return self._ids("SELECT intake_id FROM app.dead_jobs ORDER BY intake_id")

    def attempts(self) -> dict[UUID, tuple[int, str | None]]:
        """Of each queued intake, the failed attempts and the last error."""
        rows = self.owner.execute("SELECT intake_id, attempts, last_error FROM app.intake_queue")
        return {intake_id: (attempts, error) for intake_id, attempts, error in rows}

    def end_rests(self) -> None:
        """As if the time until the next attempt had passed."""
        self.owner.execute("UPDATE app.intake_queue SET available_at = now()")

    def age(self, seconds: float) -> None:
        """As if all queued intakes had come so much earlier."""
        self.owner.execute(
            "UPDATE app.intake_queue SET available_at = available_at - make_interval(secs => %s)", [seconds]
        )

    def waits_for_lock(self, service: str) -> bool:
        """Whether a session of this service is in the middle of a statement and waits for a lock."""
        row = self.app.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
            " AND datname = current_database()",
            [f"leadgen-{service}"],
        ).fetchone()
        return row != (0,)

    def sessions(self, service: str) -> int:
        rows = self.app.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()",
            [f"leadgen-{service}"],
        ).fetchall()
        return len(rows)

    def _ids(self, query: str) -> list[UUID]:
        return [intake_id for (intake_id,) in self.owner.execute(query)]
