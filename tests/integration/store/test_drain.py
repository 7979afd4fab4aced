"""Intakes become leads: once each, whole, and never held up by a bad neighbour."""

import logging
import threading
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.rows import dict_row

from leadgen.domain.backoff import MAX_ATTEMPTS
from leadgen.jobs.batches import drain_batches
from leadgen.jobs.drain import run_once
from leadgen.store import connection as connections
from leadgen.store import queue
from leadgen.store.connection import connect
from leadgen.store.queue import BATCH, Backlog, Drained
from tests.conftest import Database
from tests.integration.outbox import PAYLOAD, READ, Outbox, lead_with

NOT_A_NUMBER = lead_with(headcount="ten")
NO_SUCH_DAY = lead_with(starts_at="2026-02-30")
WITHOUT_NAME = lead_with(full_name=None)


def counts(batch: Drained) -> tuple[int, int, int]:
    """How many became leads, were put off, and were buried."""
    return batch.leads, batch.put_off, batch.buried


def test_a_lead_has_everything_that_the_intake_had(outbox: Outbox) -> None:
    (intake_id,) = outbox.accept(
        lead_with(
            company="Gates & Sons",
            phone_text="after 6 pm",
            phone_extension="12",
            end_local="2026-12-02T01:00",
            ends_at="2026-12-02T01:00:00 America/Chicago",
            street="500 E Cesar Chavez St",
            site_type="event",
            expected_hours=8,
            personnel_count=2,
            lead_source="partner",
            referrer_url="https://www.example.com/",
            page_url="https://example.com/quote",
            intake_type="contact",
            form={"gate": True},
            flags=["below_minimum_shift"],
        )
    )
    assert queue.drain_batch(outbox.app) == 1
    lead = outbox.owner.cursor(row_factory=dict_row).execute("SELECT * FROM app.leads").fetchone()
    job = outbox.owner.cursor(row_factory=dict_row).execute("SELECT * FROM app.intake_jobs").fetchone()
    assert lead is not None
    assert job is not None
    assert isinstance(lead.pop("lead_id"), int)
    assert lead.pop("created_at") >= lead["received_at"]
    old = ("request_id", "name", "preferred_channel", "service", "timeline", "details", "starts_on", "attribution")
    assert {lead.pop(column) for column in old} == {None}, "these are of releases before contract v1"
    assert lead == {
        "intake_id": intake_id,
        "x_request_id": job["x_request_id"],
        "client_id": "wordpress",
        "key_id": "k0000001",
        "idempotency_key": None,
        "full_name": "Ann Example",
        "company": "Gates & Sons",
        "email": "ann@example.com",
        "email_text": None,
        "phone_e164": None,
        "phone_text": "after 6 pm",
        "phone_extension": "12",
        "preferred_contact_method": "email",
        "service_type": "event_security",
        "timeline_mode": "within_a_month",
        "start_local": "2026-12-01",
        "end_local": "2026-12-02T01:00",
        "starts_at": datetime(2026, 12, 1, 6, tzinfo=UTC),
        "ends_at": datetime(2026, 12, 2, 7, tzinfo=UTC),
        "street": "500 E Cesar Chavez St",
        "city": "Austin",
        "state": "TX",
        "postal_code": "78701",
        "site_type": "event",
        "notes": "A gate and two doors.",
        "expected_hours": 8,
        "recurrence": "one_time",
        "headcount": 4,
        "personnel_count": 2,
        "lead_source": "partner",
        "referrer_url": "https://www.example.com/",
        "page_url": "https://example.com/quote",
        "intake_type": "contact",
        "utm": {"source": "newsletter"},
        "form": {"gate": True},
        "flags": ["below_minimum_shift"],
        "payload": PAYLOAD,
        "received_at": job["created_at"],
    }


def test_what_is_optional_may_be_missing(outbox: Outbox) -> None:
    outbox.accept(lead_with(starts_at=None, headcount=None, utm=None, consent=None, city=None, notes=None))
    assert queue.drain_batch(outbox.app) == 1
    row = outbox.owner.execute(
        "SELECT starts_at, headcount, utm, city, notes, flags, form FROM app.leads"
    ).fetchone()
    assert row == (None, None, None, None, None, [], None)
    assert outbox.owner.execute("SELECT count(*) FROM app.consents").fetchone() == (0,)


def test_consent_is_kept_as_it_was_given(outbox: Outbox) -> None:
    (given,) = READ["consent"]
    (intake_id,) = outbox.accept(lead_with(consent=[given, given | {"channel": "sms", "granted": False}]))
    queue.drain_batch(outbox.app)
    rows = outbox.owner.execute(
        "SELECT intake_id, position, channel, granted, text_version, text_sha256, given_at, page_url"
        " FROM app.consents ORDER BY position"
    ).fetchall()
    given_at = datetime(2026, 1, 20, 9, tzinfo=UTC)
    rest = ("2026-01", "a" * 64, given_at, "https://example.com/quote")
    assert rows == [(intake_id, 1, "email", True, *rest), (intake_id, 2, "sms", False, *rest)]


@pytest.mark.parametrize(
    "statement", ["UPDATE app.consents SET granted = false", "DELETE FROM app.consents", "TRUNCATE app.consents"]
)
def test_the_application_cannot_change_a_consent(outbox: Outbox, statement: str) -> None:
    outbox.accept(READ)
    queue.drain_batch(outbox.app)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        outbox.app.execute(statement)
    assert outbox.owner.execute("SELECT granted FROM app.consents").fetchall() == [(True,)]


def test_two_drainers_at_once_make_each_lead_exactly_once(outbox: Outbox) -> None:
    accepted = sorted(i for _ in range(8) for i in outbox.accept_many(250))
    shares = [0, 0]
    start = threading.Barrier(2)

    def drain(number: int) -> None:
        with connect(outbox.url, "tests") as connection:
            start.wait()
            while taken := queue.drain_batch(connection, most=37):
                shares[number] += taken

    drainers = [threading.Thread(target=drain, args=[number]) for number in range(2)]
    for drainer in drainers:
        drainer.start()
    for drainer in drainers:
        drainer.join()
    assert outbox.leads() == accepted
    assert outbox.queued() == []
    assert sum(shares) == len(accepted)
    assert min(shares) > 0, "one drainer did it all: they never met"


def test_an_intake_that_is_queued_again_makes_no_second_lead(outbox: Outbox) -> None:
    (intake_id,) = outbox.accept(READ)
    queue.drain_batch(outbox.app)
    outbox.owner.execute("INSERT INTO app.intake_queue (intake_id) VALUES (%s)", [intake_id])
    assert queue.drain_batch(outbox.app) == 1
    assert outbox.leads() == [intake_id]
    assert outbox.queued() == []
    assert outbox.owner.execute("SELECT count(*) FROM app.consents").fetchone() == (1,)


def test_a_batch_takes_the_oldest_first(outbox: Outbox) -> None:
    accepted = outbox.accept_many(5)
    assert queue.drain_batch(outbox.app, most=2) == 2
    assert outbox.leads() == accepted[:2]


def test_rows_locked_by_another_session_are_skipped(outbox: Outbox) -> None:
    held, *free = outbox.accept_many(3)
    with outbox.owner.transaction():
        outbox.owner.execute("SELECT FROM app.intake_queue WHERE intake_id = %s FOR UPDATE", [held])
        assert queue.drain_batch(outbox.app) == 2
        assert outbox.leads() == free
    assert outbox.queued() == [held]


def test_one_bad_row_among_500_holds_up_none_of_the_others(outbox: Outbox) -> None:
    good = outbox.accept_many(250)
    (bad,) = outbox.accept(NOT_A_NUMBER)
    good += outbox.accept_many(249)
    assert counts(queue.drain_with_suspects(outbox.app)) == (499, 1, 0)
    assert outbox.leads() == good
    assert outbox.attempts() == {bad: (1, "22P02 InvalidTextRepresentation")}


def test_a_bad_row_rests_before_it_is_tried_again(outbox: Outbox) -> None:
    outbox.accept(NOT_A_NUMBER)
    assert queue.drain_with_suspects(outbox.app).put_off == 1
    assert counts(queue.drain_with_suspects(outbox.app)) == (0, 0, 0)
    outbox.end_rests()
    assert queue.drain_with_suspects(outbox.app).put_off == 1


def test_a_bad_row_dies_after_the_last_attempt_with_its_reason(outbox: Outbox) -> None:
    (bad,) = outbox.accept(WITHOUT_NAME)
    for attempt in range(1, MAX_ATTEMPTS):
        assert counts(queue.drain_with_suspects(outbox.app)) == (0, 1, 0), attempt
        outbox.end_rests()
    assert counts(queue.drain_with_suspects(outbox.app)) == (0, 0, 1)
    assert outbox.queued() == []
    rows = outbox.owner.execute("SELECT intake_id, attempts, reason, discarded_at FROM app.dead_jobs").fetchall()
    assert rows == [(bad, MAX_ATTEMPTS, "23514 CheckViolation leads leads_have_a_name", None)]


def test_every_bad_row_of_a_batch_is_found_and_has_its_own_reason(outbox: Outbox) -> None:
    bad = outbox.accept(NOT_A_NUMBER, NO_SUCH_DAY, READ, WITHOUT_NAME, READ, READ, NOT_A_NUMBER)
    good = [bad.pop(5), bad.pop(4), bad.pop(2)]
    good += outbox.accept_many(90)
    assert counts(queue.drain_with_suspects(outbox.app)) == (93, 4, 0)
    assert outbox.leads() == sorted(good)
    assert [outbox.attempts()[intake_id] for intake_id in bad] == [
        (1, "22P02 InvalidTextRepresentation"),
        (1, "22008 DatetimeFieldOverflow"),
        (1, "23514 CheckViolation leads leads_have_a_name"),
        (1, "22P02 InvalidTextRepresentation"),
    ]


def test_a_batch_of_nothing_but_bad_rows_is_put_off_whole(outbox: Outbox) -> None:
    outbox.accept(*[NO_SUCH_DAY] * 64)
    assert counts(queue.drain_with_suspects(outbox.app)) == (0, 64, 0)


def test_a_reason_quotes_nothing_that_a_person_wrote(outbox: Outbox) -> None:
    outbox.owner.execute("ALTER TABLE app.leads ADD CONSTRAINT no_ann CHECK (full_name NOT LIKE 'Ann%')")
    outbox.accept(lead_with(headcount="Ann's secret"), READ)
    queue.drain_with_suspects(outbox.app)
    reasons = sorted(str(error) for _, error in outbox.attempts().values())
    assert reasons == ["22P02 InvalidTextRepresentation", "23514 CheckViolation leads no_ann"]


def test_a_clock_that_was_set_back_holds_no_lead_up(outbox: Outbox) -> None:
    outbox.accept(READ)
    outbox.age(seconds=-3600)
    assert queue.has_overdue(outbox.app, older_than_seconds=2)
    assert queue.drain_batch(outbox.app) == 1


def test_only_what_could_have_been_claimed_for_a_while_is_overdue(outbox: Outbox) -> None:
    assert not queue.has_overdue(outbox.app, older_than_seconds=2)
    outbox.accept(NOT_A_NUMBER)
    assert not queue.has_overdue(outbox.app, older_than_seconds=2)
    outbox.age(seconds=3)
    assert queue.has_overdue(outbox.app, older_than_seconds=2)
    queue.drain_with_suspects(outbox.app)
    assert not queue.has_overdue(outbox.app, older_than_seconds=0), "it rests"


def test_the_backlog_shows_how_many_wait_since_when_and_how_many_died(outbox: Outbox) -> None:
    assert queue.backlog(outbox.app) == Backlog(0, 0.0, 0)
    first, *_ = outbox.accept_many(3)
    outbox.owner.execute(
        "UPDATE app.intake_jobs SET created_at = now() - interval '1 minute' WHERE intake_id = %s", [first]
    )
    outbox.owner.execute("INSERT INTO app.dead_jobs (intake_id, attempts, reason) VALUES (%s, 8, 'x')", [first])
    backlog = queue.backlog(outbox.app)
    assert (backlog.waiting, backlog.dead) == (3, 1)
    assert 60 <= backlog.oldest_age_seconds < 90
    outbox.owner.execute("UPDATE app.dead_jobs SET discarded_at = now()")
    assert queue.backlog(outbox.app).dead == 0


def test_a_job_drains_batch_after_batch_until_the_queue_is_empty(
    database: Database, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "leadgen.jobs.batches")
    for _ in range(3):
        outbox.accept_many(400)
    outbox.accept(NOT_A_NUMBER)
    pool = connections.Database(database.app_url, "tests")
    assert counts(run_once(pool)) == (1200, 1, 0)
    assert run_once(pool) == Drained()
    pool.close()
    fields = [vars(record)["leadgen_fields"] for record in caplog.records if record.message == "drained"]
    assert fields == [
        {"leads": 500, "put_off": 0, "buried": 0},
        {"leads": 500, "put_off": 0, "buried": 0},
        {"leads": 200, "put_off": 1, "buried": 0},
    ]


def test_each_intake_that_failed_is_logged_with_its_id_and_without_what_a_person_wrote(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.owner.execute("ALTER TABLE app.leads ADD CONSTRAINT no_ann CHECK (full_name NOT LIKE 'Ann%')")
    put_off, buried = outbox.accept(lead_with(headcount="Ann's secret"), READ)
    outbox.owner.execute(
        "UPDATE app.intake_queue SET attempts = %s, available_at = now() WHERE intake_id = %s",
        [MAX_ATTEMPTS - 1, buried],
    )
    list(drain_batches(outbox.app))
    fields = [vars(record)["leadgen_fields"] for record in caplog.records if record.message == "intake_failed"]
    assert fields == [
        {
            "intake_id": put_off,
            "attempts": 1,
            "buried": False,
            "reason": "22P02 InvalidTextRepresentation",
        },
        {
            "intake_id": buried,
            "attempts": MAX_ATTEMPTS,
            "buried": True,
            "reason": "23514 CheckViolation leads no_ann",
        },
    ]


def test_a_drainer_that_knew_an_empty_queue_does_not_read_a_long_one_from_end_to_end(outbox: Outbox) -> None:
    for _ in range(12):  # PostgreSQL keeps a plan after a few executions
        outbox.accept_many(2)
        assert sum(drain_batches(outbox.app), start=Drained()).leads == 2
    outbox.accept_many(3 * BATCH)
    assert sum(drain_batches(outbox.app), start=Drained()).leads == 3 * BATCH
    outbox.app.execute("SELECT pg_stat_force_next_flush()")
    row = outbox.owner.execute(
        "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = 'app.intake_queue'::regclass"
    ).fetchone()
    assert row == (0,)


def test_a_caller_may_stop_between_two_batches(outbox: Outbox) -> None:
    for _ in range(3):
        outbox.accept_many(BATCH)
    assert next(drain_batches(outbox.app)) == Drained(leads=BATCH)
    assert len(outbox.queued()) == 2 * BATCH
