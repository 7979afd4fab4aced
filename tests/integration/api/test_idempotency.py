"""Idempotency as a state machine: for any posts in any order, a key identifies one submission."""

import json
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from leadgen.store.connection import Connection, connect
from leadgen.store.queue import drain_batch
from tests.conftest import Database
from tests.integration.api.caller import Caller, Keys
from tests.integration.lead import LEAD

CLIENTS = st.sampled_from(["wordpress", "partner"])
KEYS = st.sampled_from(["a", "b", "c", None])
DETAILS = st.sampled_from(["one", "two", "three"])


def lead_with(details: str, state: str = "TX") -> dict[str, Any]:
    lead = deepcopy(LEAD)
    lead["request"]["notes"] = details
    lead["request"]["location"]["state"] = state
    return lead


def shuffled(document: dict[str, Any]) -> bytes:
    """The same document in other bytes."""
    return json.dumps(dict(reversed(document.items())), indent=3).encode()


@pytest.fixture
def superuser(database: Database) -> Iterator[Connection]:
    """One connection for all steps: to open one takes longer than a step."""
    with closing(connect(database.superuser_url, "tests")) as connection:
        yield connection


def test_a_key_identifies_one_submission_whatever_happens(
    app: Flask, keys: Keys, database: Database, superuser: Connection
) -> None:
    callers = {client: Caller(app, key) for client, key in keys.of.items()}

    class Idempotency(RuleBasedStateMachine):
        """`accepted` is what the clients know of each key: the details it was first sent with, and the answer."""

        def __init__(self) -> None:
            super().__init__()
            self.accepted: dict[tuple[str, str], tuple[str, bytes]] = {}
            self.keyless = 0
            superuser.execute("TRUNCATE app.intake_jobs, app.intake_queue, app.leads, app.dead_jobs")

        @rule(client=CLIENTS, key=KEYS, details=DETAILS, same_bytes=st.booleans(), quoted=st.booleans())
        def post(self, client: str, key: str | None, details: str, same_bytes: bool, quoted: bool) -> None:  # noqa: FBT001 - hypothesis draws both
            lead = lead_with(details)
            sent = f'"{key}"' if key and quoted else key
            answer = callers[client].post(lead if same_bytes else shuffled(lead), sent)
            if key is None:
                assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (202, False)
                self.keyless += 1
                return
            first = self.accepted.setdefault((client, key), (details, answer.data))
            if first[0] != details:
                assert answer.get_json()["type"] == "/lead/problems/idempotency-key-reused"
                return
            assert (answer.status_code, answer.data) == (202, first[1])

        @rule(client=CLIENTS, key=KEYS)
        def post_what_is_not_valid(self, client: str, key: str | None) -> None:
            answer = callers[client].post(lead_with("one", state="CA"), key)
            assert answer.get_json()["type"] == "/lead/problems/outside-service-area"

        @rule()
        def drain(self) -> None:
            with connect(database.app_url, "tests") as connection:
                drain_batch(connection)

        @invariant()
        def as_many_rows_as_submissions(self) -> None:
            expected = len(self.accepted) + self.keyless
            counted = superuser.execute(
                "SELECT (SELECT count(*) FROM app.intake_jobs),"
                " (SELECT count(*) FROM app.intake_queue) + (SELECT count(*) FROM app.leads)"
            ).fetchone()
            assert counted == (expected, expected)

    run_state_machine_as_test(
        Idempotency,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
