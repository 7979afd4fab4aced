"""An erase while others work: a person in the queue never becomes a lead, and a cut leaves all or nothing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from leadgen.cli.person import identify
from leadgen.domain.erasure import ErasureKey, Identity, Tombstone
from leadgen.errors import TableLocked
from leadgen.store import dead_jobs, erasures, personal_data, queue
from leadgen.store.connection import Connection, connect, unavailable_when_broken
from leadgen.store.personal_data import Counts
from leadgen.store.queries import load
from tests.conftest import Database
from tests.integration.locks import wait_for_lock
from tests.integration.outbox import Outbox
from tests.integration.people import CANARY, Someone, count_all, says_canary, send, send_in_state
from tests.integration.service import until

KEY = ErasureKey(b"k" * 32)
CANARY_ADDRESS = Identity("email", f"{CANARY.lower()}@example.com")


def erase(connection: Connection, person: Identity = CANARY_ADDRESS) -> Counts:
    """As `leadgen person erase` does."""
    now = datetime.now(UTC)
    traces = personal_data.find(connection, person, identify)
    tombstone = Tombstone(uuid4(), person.kind, KEY.digest(person), KEY.key_id, now, {})
    entries = personal_data.entries_of(traces, identify, KEY)
    return erasures.erase(connection, tombstone, entries, actor="ann", reason="a test")


EMAILS = ("a@example.com", "A@Example.com", "b@example.com", "ab@example.com", "a@example.com b@example.com", None)
PHONES = ("512-555-0100", "(512) 555 0100", "+1 512 555 0101", "512-555-0100 / 512-555-0101", None)
ASKED = ("a@example.com", "b@example.com", "+15125550100", "+15125550101")
PEOPLE = st.tuples(st.sampled_from(EMAILS), st.sampled_from(PHONES)).filter(any)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PEOPLE, st.booleans()), max_size=8), st.sampled_from(ASKED))
def test_exactly_those_who_gave_the_address_or_number_are_erased(
    outbox: Outbox, sent: list[tuple[tuple[str | None, str | None], bool]], asked: str
) -> None:
    outbox.owner.execute("TRUNCATE app.intake_jobs, app.intake_queue, app.leads, app.dead_jobs, app.consents")
    stay: dict[str, set[UUID]] = {"queued": set(), "leads": set()}
    for (email, phone), drained in sorted(sent, key=lambda one: not one[1]):
        intake_id = send(outbox, Someone(email, phone))
        if drained:
            queue.drain_batch(outbox.app)
        if not gave(asked, email, phone):
            stay["leads" if drained else "queued"].add(intake_id)
    kind = "email" if "@" in asked else "phone"
    counts = erase(outbox.app, Identity(kind, asked))
    assert counts["intakes"] == len(sent) - sum(map(len, stay.values()))
    assert {"queued": set(outbox.queued()), "leads": set(outbox.leads())} == stay


def gave(asked: str, email: str | None, phone: str | None) -> bool:
    """Whether it is one of the words of the one, or among the digits of the other."""
    words = (email or "").lower().split()
    digits = ["".join(filter(str.isdigit, number))[-10:] for number in (phone or "").split("/")]
    return asked in words or asked.removeprefix("+1") in digits


def race(database: Database, outbox: Outbox, act: Callable[[], object]) -> Counts:
    """Erase the person while the application has acted on their intake and not yet committed."""

    def erase_it() -> Counts:
        with connect(database.app_url, "eraser") as connection:
            return erase(connection)

    with ThreadPoolExecutor(1) as pool:
        with outbox.app.transaction():
            act()
            erasing = pool.submit(erase_it)
            wait_for_lock(database)
        return erasing.result(10)


def test_a_drain_under_way_is_waited_for_and_its_lead_erased(database: Database, outbox: Outbox) -> None:
    send(outbox, key="k")
    assert race(database, outbox, lambda: queue.drain_batch(outbox.app))["leads"] == 1
    assert count_all(outbox) == {"intake_jobs": 1, "consents": 1}
    assert not says_canary(database)


def test_a_last_attempt_under_way_is_waited_for_and_the_dead_one_erased(
    database: Database, outbox: Outbox
) -> None:
    bury = partial(outbox.app.execute, load("intake_queue")["bury"], [send(outbox, key="k"), "a test"])
    assert race(database, outbox, bury)["dead"] == 1
    assert not says_canary(database)


def test_a_replay_under_way_is_waited_for_and_what_it_queued_erased(database: Database, outbox: Outbox) -> None:
    intake_id = send_in_state(outbox, "dead", key="k")
    replay = partial(dead_jobs.replay, outbox.app, intake_id, actor="ann", reason="again")
    assert race(database, outbox, replay)["queued"] == 1
    assert not says_canary(database)


def test_a_drain_passes_by_who_is_being_erased(outbox: Outbox) -> None:
    send(outbox, key="k")
    other = send(outbox, Someone("bob@example.com", None, "Bob"))
    with connect(outbox.url, "eraser") as connection, connection.transaction():
        assert erase(connection)["queued"] == 1
        assert queue.drain_batch(outbox.app) == 1
    assert outbox.leads() == [other]
    assert queue.drain_batch(outbox.app) == 0


def test_two_who_erase_the_same_person_count_the_rows_once(database: Database, outbox: Outbox) -> None:
    send(outbox, key="k")
    with ThreadPoolExecutor(1) as pool, connect(outbox.url, "eraser") as other:
        with outbox.app.transaction():
            assert erase(outbox.app)["intakes"] == 1
            erasing = pool.submit(erase, other)
            wait_for_lock(database)
        assert sum(erasing.result(10).values()) == 0


def test_erased_at_any_moment_of_a_drain_none_comes_back_and_none_deadlocks(
    database: Database, outbox: Outbox
) -> None:
    people = [Identity("email", f"{CANARY.lower()}{number}@example.com") for number in range(60)]
    stays: set[UUID] = set()
    for person in people:
        send(outbox, Someone(person.value, None), key=person.value.partition("@")[0])
        stays.add(send(outbox, Someone(f"x{person.value}", None, "Bob")))
    erased = threading.Event()

    def drain() -> None:
        with connect(database.app_url, "drainer") as connection:
            while not erased.is_set() or outbox.queued():
                queue.drain_batch(connection, 3)

    with ThreadPoolExecutor(2) as pool, connect(outbox.url, "eraser") as connection:
        drainers = [pool.submit(drain) for _ in range(2)]
        try:
            assert [erase(connection, person)["intakes"] for person in people] == [1] * len(people)
        finally:
            erased.set()
        for drainer in drainers:
            drainer.result(20)
    assert set(outbox.leads()) == stays


@pytest.mark.parametrize("end", ["kill", "lock timeout"])
def test_an_erase_that_is_cut_off_leaves_all_as_it_was(database: Database, outbox: Outbox, end: str) -> None:
    first = send(outbox, key="a")
    second = send(outbox, key="b")
    before = rows(outbox)
    (first_queued, second_queued) = sorted([first, second])
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.superuser_url) as holder:
        # The first intake of the two is erased already when the second is waited for.
        holder.execute("SELECT FROM app.intake_queue WHERE intake_id = %s FOR UPDATE", [second_queued])

        def erase_it() -> Counts:
            with unavailable_when_broken(), connect(database.app_url, "eraser") as connection:
                return erase(connection)

        erasing = pool.submit(erase_it)
        wait_for_lock(database)
        if end == "kill":
            holder.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leadgen-eraser'"
                " AND datname = current_database()"
            )
        error = erasing.exception(10)
        assert error is not None
        assert isinstance(error, TableLocked) == (end == "lock timeout")
    assert rows(outbox) == before
    assert first_queued in outbox.queued()
    assert until(lambda: sum(erase(outbox.app).values()) > 0)
    assert not says_canary(database)


def rows(outbox: Outbox) -> list[object]:
    tables = ("intake_jobs", "intake_queue", "leads", "consents", "erasures", "job_audit")
    return [
        outbox.owner.execute(
            sql.SQL("SELECT to_jsonb(row) FROM app.{} AS row ORDER BY row").format(sql.Identifier(table))
        ).fetchall()
        for table in tables
    ]


def test_a_consent_that_kept_its_intake_from_becoming_a_lead_keeps_no_erase_from_it(
    database: Database, outbox: Outbox
) -> None:
    intake_id = send(outbox, key="k")
    outbox.owner.execute(
        "UPDATE app.intake_jobs SET lead = jsonb_set(lead, '{consent,0,at}', '\"yesterday noon\"')"
    )
    assert erase(outbox.app) == Counts({"intakes": 1, "queued": 1, "dead": 0, "leads": 0, "consents": 0})
    assert count_all(outbox) == {"intake_jobs": 1}
    assert dead_jobs.get_job(outbox.app, intake_id).state == "erased"
    assert not says_canary(database)


def test_what_came_after_the_tombstone_is_not_erased_by_it(outbox: Outbox) -> None:
    with outbox.app.transaction(force_rollback=True):
        early = Tombstone(uuid4(), "email", b"d" * 32, KEY.key_id, datetime(2026, 1, 1, tzinfo=UTC), {})
        entries = [{"intake_id": str(send(outbox)), "digests": [], "forget_key": False}]
        counts = erasures.erase(outbox.app, early, entries, actor="ann", reason="a test")
        assert sum(counts.values()) == 0
        assert len(outbox.queued()) == 0, "sent in a transaction of its own, which is not committed"
        row = outbox.app.execute("SELECT count(*) FROM app.intake_queue").fetchone()
        assert row == (1,)


@pytest.mark.parametrize("role", ["api", "app", "ro"])
@pytest.mark.parametrize(
    "call",
    [
        "app.keep_evidence(gen_random_uuid(), '[]', '{}')",
        "app.erase_person(NULL, '[]', 'a', 'b')",
        "app.remove_expired(24, '[]', 'a')",
    ],
)
def test_only_the_application_may_erase_and_nobody_may_touch_evidence_alone(
    database: Database, role: str, call: str
) -> None:
    allowed = role == "app" and "keep_evidence" not in call
    with psycopg.connect(getattr(database, f"{role}_url")) as connection:
        if allowed:
            with pytest.raises(psycopg.errors.NotNullViolation) if "NULL" in call else nullcontext():
                connection.execute(f"SELECT {call}")
            return
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT {call}")


@pytest.mark.parametrize("table", ["leads", "intake_jobs", "consents", "erasures", "job_audit"])
def test_the_application_still_deletes_and_changes_nothing_by_itself(database: Database, table: str) -> None:
    with psycopg.connect(database.app_url, autocommit=True) as app:
        for statement in (f"DELETE FROM app.{table}", f"TRUNCATE app.{table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
