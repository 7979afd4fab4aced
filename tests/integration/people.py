"""People who have sent something, and what the database still says of them."""

import json
import subprocess
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from leadgen.api.reading import Request, read
from leadgen.dev.account import for_postgres
from leadgen.dev.wheels import postgres_programs
from leadgen.domain.backoff import MAX_ATTEMPTS
from leadgen.domain.fingerprint import canonical_json, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.store import dead_jobs, queue
from leadgen.store.intakes import Intake, accept
from tests.conftest import Database
from tests.integration.outbox import PAYLOAD, Outbox

CANARY = "Zyxcanary"
TABLES = ("intake_jobs", "intake_queue", "dead_jobs", "leads", "consents")


@dataclass(frozen=True)
class Someone:
    """A person as they write; the name is in every field that takes text."""

    email: str | None = f"{CANARY}@example.com"
    phone: str | None = "(512) 555-0100"
    name: str = f"Ann {CANARY}"


def document_of(someone: Someone) -> dict[str, Any]:
    document = deepcopy(PAYLOAD)
    contact = {"full_name": someone.name, "email": someone.email, "phone": someone.phone}
    document["contact"] |= {name: value for name, value in contact.items() if value is not None}
    document["contact"]["company"] = f"{someone.name} Ltd"
    if someone.email is None:
        del document["contact"]["email"]
    document["request"] |= {"notes": f"Ask for {someone.name}."}
    document["context"] = {"page_url": f"https://example.com/quote?name={someone.name}"}
    document["form"] = {"guest": someone.name}
    document["consent"][0]["page_url"] = (
        f"https://example.com/quote?name={someone.name.replace(' ', '+')}#{CANARY}"
    )
    return document


def send(
    outbox: Outbox, someone: Someone = Someone(), key: str | None = None, received: datetime | None = None
) -> UUID:
    """Store a submission as the API does."""
    payload = canonical_json(document_of(someone))
    reading = read(json.loads(payload), frozenset({"TX"}), Request())
    intake = Intake(
        intake_id=uuid7(),
        request_id=f"{CANARY}-{uuid4()}",
        client_id="wordpress",
        key_id="k0000001",
        idempotency_key=key,
        fingerprint=fingerprint(payload),
        fingerprint_version=1,
        payload=payload,
        lead=canonical_json(reading.columns),
        email=reading.email,
        phone_e164=reading.phone_e164,
        received_at=received or datetime.now(UTC),
        answer=f'{{"request_id": "{CANARY}"}}\n',
    )
    accept(outbox.app, [intake])
    return intake.intake_id


def send_in_state(outbox: Outbox, state: str, someone: Someone = Someone(), key: str | None = None) -> UUID:
    """A submission that is queued, retrying, done, dead, discarded, or was replayed and is queued again."""
    intake_id = send(outbox, someone, key)
    if state == "done":
        queue.drain_batch(outbox.app)
    elif state != "queued":
        attempts = 0 if state == "retrying" else MAX_ATTEMPTS - 1
        outbox.owner.execute("UPDATE app.intake_queue SET attempts = %s", [attempts])
        outbox.owner.execute("ALTER TABLE app.leads ADD CONSTRAINT no_more CHECK (false) NOT VALID")
        queue.drain_with_suspects(outbox.app)
        outbox.owner.execute("ALTER TABLE app.leads DROP CONSTRAINT no_more")
    if state == "discarded":
        dead_jobs.discard(outbox.app, intake_id, actor="bob", reason=f"{CANARY} called")
    if state == "replayed":
        dead_jobs.replay(outbox.app, intake_id, actor="bob", reason=f"{CANARY} called")
    return intake_id


def count_all(outbox: Outbox) -> dict[str, int]:
    """The rows of each table, without empty tables."""
    counts = {table: outbox.owner.execute(f"SELECT count(*) FROM app.{table}").fetchone() for table in TABLES}
    return {table: count[0] for table, count in counts.items() if count and count[0]}


def dump(database: Database) -> str:
    """All that pg_dump says of this database, in lower case."""
    program = postgres_programs(for_postgres()) / "pg_dump"
    done = subprocess.run(
        [program, "--data-only", database.superuser_url], check=True, capture_output=True, text=True
    )
    return done.stdout.lower()


def says_canary(database: Database) -> bool:
    return CANARY.lower() in dump(database)
