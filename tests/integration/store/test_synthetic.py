"""app.remove_synthetic removes all traces of a probe's lead, even under concurrent work, and no other lead."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from leadgen.domain import synthetic
from leadgen.domain.backoff import MAX_ATTEMPTS
from leadgen.domain.intake_id import uuid7
from leadgen.store import dead_jobs, queue
from leadgen.store.connection import Connection, connect
from leadgen.store.intakes import Intake, accept
from leadgen.store.queries import load
from tests.conftest import Database
from tests.integration.locks import wait_for_lock
from tests.integration.outbox import PAYLOAD, READ, Outbox

TABLES = ("intake_jobs", "intake_queue", "dead_jobs", "leads", "consents", "job_audit")


def payload_of(name: object) -> dict[str, Any]:
    payload = deepcopy(PAYLOAD)
    payload["contact"]["full_name"] = name
    return payload


PROBE = payload_of(f"{synthetic.NAME} canary")


def put(
    outbox: Outbox, key: str, client: str = synthetic.CLIENT_ID, payload: dict[str, Any] | None = None
) -> UUID:
    """Store an intake as the API does."""
    intake = Intake(
        intake_id=uuid7(),
        request_id=str(uuid4()),
        client_id=client,
        key_id=None,
        idempotency_key=key,
        fingerprint=b"\0" * 32,
        fingerprint_version=1,
        payload=json.dumps(payload or PROBE),
        lead=json.dumps(READ),
        email="ann@example.com",
        phone_e164=None,
        received_at=datetime.now(UTC),
        answer="{}\n",
    )
    accept(outbox.app, [intake])
    return intake.intake_id


def remove(connection: Connection, key: str, client: str | None = synthetic.CLIENT_ID) -> int:
    ((removed,),) = connection.execute("SELECT app.remove_synthetic(%s, %s)", [client, key]).fetchall()
    return int(removed)


def rows(outbox: Outbox) -> dict[str, list[UUID]]:
    """Whose rows each table holds, without the tables that hold none."""
    found = {
        table: [intake_id for (intake_id,) in outbox.owner.execute(f"SELECT intake_id FROM app.{table}")]
        for table in TABLES
    }
    return {table: ids for table, ids in found.items() if ids}


def make_next_attempt_the_last(outbox: Outbox) -> None:
    outbox.owner.execute("UPDATE app.intake_queue SET attempts = %s", [MAX_ATTEMPTS - 1])
    outbox.owner.execute("ALTER TABLE app.leads ADD CONSTRAINT no_more CHECK (false) NOT VALID")


def race(database: Database, outbox: Outbox, act: Callable[[], object]) -> int:
    """Remove `probe` while the application has acted on it and not yet committed; how many were removed."""

    def remove_it() -> int:
        with connect(database.owner_url, "remover") as connection:
            return remove(connection, "probe")

    with ThreadPoolExecutor(1) as pool:
        with outbox.app.transaction():
            act()
            removing = pool.submit(remove_it)
            wait_for_lock(database)
        return removing.result(10)


def test_a_queued_one_is_removed_and_its_neighbour_becomes_a_lead(outbox: Outbox) -> None:
    put(outbox, "probe-1")
    other = put(outbox, "probe-2")
    assert remove(outbox.owner, "probe-1") == 1
    assert rows(outbox) == {"intake_jobs": [other], "intake_queue": [other]}
    queue.drain_batch(outbox.app)
    assert outbox.leads() == [other]


def test_one_that_is_a_lead_is_removed_with_its_evidence(outbox: Outbox) -> None:
    put(outbox, "probe")
    queue.drain_batch(outbox.app)
    assert set(rows(outbox)) == {"intake_jobs", "leads", "consents"}
    assert remove(outbox.owner, "probe") == 1
    assert rows(outbox) == {}


def test_a_dead_one_is_removed_with_what_people_did_to_it(outbox: Outbox) -> None:
    intake_id = put(outbox, "probe")
    make_next_attempt_the_last(outbox)
    assert queue.drain_with_suspects(outbox.app).buried == 1
    dead_jobs.discard(outbox.app, intake_id, actor="ann", reason="a probe")
    assert set(rows(outbox)) == {"intake_jobs", "dead_jobs", "job_audit"}
    assert remove(outbox.owner, "probe") == 1
    assert rows(outbox) == {}


def test_one_whose_lead_was_deleted_by_hand_is_removed(outbox: Outbox) -> None:
    put(outbox, "probe")
    queue.drain_batch(outbox.app)
    outbox.owner.execute("DELETE FROM app.leads")
    assert remove(outbox.owner, "probe") == 1
    assert rows(outbox) == {}


def test_one_that_is_not_there_is_nothing_removed_and_its_key_may_be_used_again(outbox: Outbox) -> None:
    assert remove(outbox.owner, "probe") == 0
    for _ in range(2):
        put(outbox, "probe")
        assert (remove(outbox.owner, "probe"), remove(outbox.owner, "probe")) == (1, 0)
    assert rows(outbox) == {}


def test_a_real_clients_lead_under_the_same_key_is_untouched(outbox: Outbox) -> None:
    real = put(outbox, "same", client="wordpress", payload=PAYLOAD)
    put(outbox, "same")
    queue.drain_batch(outbox.app)
    assert remove(outbox.owner, "same") == 1
    assert rows(outbox) == {"intake_jobs": [real], "leads": [real], "consents": [real]}


@pytest.mark.parametrize("drained", [False, True])
@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("wordpress", PROBE["contact"]["full_name"]),
        ("wordpress", "Ann Example"),
        (synthetic.CLIENT_ID, "Ann Example"),
        (synthetic.CLIENT_ID, f"Ann {synthetic.NAME}"),
        (synthetic.CLIENT_ID, synthetic.NAME.lower()),
        (synthetic.CLIENT_ID, ""),
        (synthetic.CLIENT_ID, None),
    ],
)
def test_what_lacks_a_mark_is_refused_and_stays(outbox: Outbox, client: str, name: str, drained: bool) -> None:  # noqa: FBT001 - pytest hands it over by name
    intake_id = put(outbox, "key", client=client, payload=payload_of(name))
    if drained:
        queue.drain_with_suspects(outbox.app)
    before = rows(outbox)
    with pytest.raises(psycopg.errors.RaiseException, match="nothing was removed"):
        remove(outbox.owner, "key", client)
    assert rows(outbox) == before
    assert before["intake_jobs"] == [intake_id]


def test_no_client_at_all_is_refused(outbox: Outbox) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        remove(outbox.owner, "key", None)


@pytest.mark.parametrize("role", ["api", "app", "ro"])
def test_only_the_owner_may_remove(database: Database, outbox: Outbox, role: str) -> None:
    intake_id = put(outbox, "probe")
    with (
        psycopg.connect(getattr(database, f"{role}_url")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="function remove_synthetic"),
    ):
        remove(connection, "probe")
    assert rows(outbox)["intake_jobs"] == [intake_id]


def test_a_drain_under_way_is_waited_for_and_its_lead_removed(database: Database, outbox: Outbox) -> None:
    put(outbox, "probe")
    assert race(database, outbox, lambda: queue.drain_batch(outbox.app)) == 1
    assert rows(outbox) == {}


def test_a_last_attempt_under_way_is_waited_for_and_the_dead_one_removed(
    database: Database, outbox: Outbox
) -> None:
    intake_id = put(outbox, "probe")
    bury = partial(outbox.app.execute, load("intake_queue")["bury"], [intake_id, "a test"])
    assert race(database, outbox, bury) == 1
    assert rows(outbox) == {}


def test_a_replay_under_way_is_waited_for_and_what_it_queued_removed(database: Database, outbox: Outbox) -> None:
    intake_id = put(outbox, "probe")
    make_next_attempt_the_last(outbox)
    queue.drain_with_suspects(outbox.app)
    replay = partial(dead_jobs.replay, outbox.app, intake_id, actor="ann", reason="again")
    assert race(database, outbox, replay) == 1
    assert rows(outbox) == {}


def test_two_who_remove_the_same_count_it_once(database: Database, outbox: Outbox) -> None:
    put(outbox, "probe")
    with ThreadPoolExecutor(1) as pool, connect(database.owner_url, "remover") as other:
        with outbox.owner.transaction():
            assert remove(outbox.owner, "probe") == 1
            removing = pool.submit(remove, other, "probe")
            wait_for_lock(database)
        assert removing.result(10) == 0


def test_a_drain_passes_by_what_is_being_removed(outbox: Outbox) -> None:
    put(outbox, "probe")
    real = put(outbox, "probe", client="wordpress", payload=PAYLOAD)
    with outbox.owner.transaction():
        assert remove(outbox.owner, "probe") == 1
        assert queue.drain_batch(outbox.app) == 1
    assert rows(outbox) == {"intake_jobs": [real], "leads": [real], "consents": [real]}


def test_removed_at_any_moment_of_a_drain_none_leaves_a_trace_or_deadlocks(
    database: Database, outbox: Outbox
) -> None:
    keys = [f"probe-{number}" for number in range(300)]
    real = []
    for key in keys:
        put(outbox, key)
        real.append(put(outbox, key, client="wordpress", payload=PAYLOAD))
    removed = threading.Event()

    def drain() -> None:
        with connect(database.app_url, "drainer") as connection:
            while not removed.is_set() or outbox.queued():
                queue.drain_batch(connection, 3)

    with ThreadPoolExecutor(2) as pool:
        drainers = [pool.submit(drain) for _ in range(2)]
        try:
            assert [remove(outbox.owner, key) for key in keys] == [1] * len(keys)
        finally:
            removed.set()
        for drainer in drainers:
            drainer.result(20)
    assert {table: sorted(ids) for table, ids in rows(outbox).items()} == {
        "intake_jobs": real,
        "leads": real,
        "consents": real,
    }
