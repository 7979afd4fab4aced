"""Whatever the schema accepts becomes a lead: no cast and no constraint of PostgreSQL refuses it afterwards."""

from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from leadgen.api.problems import Problem
from leadgen.api.reading import Request, read
from leadgen.domain.fingerprint import FINGERPRINT_VERSION, canonical_json, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.store.connection import connect
from leadgen.store.intakes import Intake, accept
from leadgen.store.queue import drain_batch
from tests.conftest import Database
from tests.submissions import SUBMISSIONS, VALID, Json

TEXAS = frozenset({"TX"})

EXTREMES: list[Json] = [
    {
        **VALID,
        "request": {**VALID["request"], "timeline": {"start_local": day, "end_local": at}},
        "consent": [{**VALID["consent"][0], "at": at}],
    }
    for day, at in (
        ("0002-01-01", "0001-01-01T00:00:00-15:59"),
        ("9998-12-31T23:59", "9999-12-31T23:59:59.999999+15:59"),
    )
]


def accepted(submission: Json) -> Intake | None:
    try:
        found = read(submission, TEXAS, Request())
    except Problem:
        return None
    payload = canonical_json(submission)
    return Intake(
        intake_id=uuid7(),
        request_id=str(uuid4()),
        client_id="wordpress",
        key_id=None,
        idempotency_key=None,
        fingerprint=fingerprint(payload),
        fingerprint_version=FINGERPRINT_VERSION,
        payload=payload,
        lead=canonical_json(found.columns),
        email=found.email,
        phone_e164=found.phone_e164,
        received_at=datetime.now(UTC),
        answer="{}\n",
    )


# One database for all examples: they add rows, and each looks at its own.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(submissions=EXTREMES)
@given(submissions=st.lists(SUBMISSIONS, max_size=5))
def test_every_accepted_submission_becomes_a_lead(database: Database, submissions: list[Json]) -> None:
    intakes = [intake for intake in map(accepted, [VALID, *submissions]) if intake]
    with connect(database.app_url, "tests") as connection:
        accept(connection, intakes)
        assert drain_batch(connection) == len(intakes)
        found = connection.execute(
            "SELECT intake_id, payload FROM app.leads WHERE intake_id = ANY(%s)",
            [[intake.intake_id for intake in intakes]],
        ).fetchall()
    stored = {intake_id: canonical_json(payload) for intake_id, payload in found}
    assert stored == {intake.intake_id: intake.payload for intake in intakes}
