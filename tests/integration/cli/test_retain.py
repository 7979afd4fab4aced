"""`leadgen retain`: what is older than the company may keep goes, but nothing that is queued, and no evidence."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from leadgen.store import dead_jobs, personal_data, queue
from tests.conftest import Database
from tests.integration.cli.personal_data import EMAIL, Run, counts, digest
from tests.integration.locks import wait_for_lock
from tests.integration.outbox import Outbox
from tests.integration.people import Someone, count_all, says_canary, send, send_in_state

OLD = datetime.now(UTC) - timedelta(days=2 * 366)
YOUNG = datetime.now(UTC) - timedelta(days=2 * 365 - 2)


def make_old(outbox: Outbox, moment: datetime = OLD) -> None:
    """As if all that is there had come then."""
    outbox.owner.execute("UPDATE app.intake_jobs SET created_at = %s", [moment])
    outbox.owner.execute("UPDATE app.leads SET received_at = %s, created_at = %s", [moment, moment])


@pytest.mark.parametrize("state", ["done", "dead", "discarded"])
def test_what_has_expired_goes_with_its_name_and_its_consents_stay(
    database: Database, outbox: Outbox, run: Run, state: str
) -> None:
    intake_id = send_in_state(outbox, state, key="a-key")
    make_old(outbox)
    result = run("retain", "--by", "timer")
    numbers = {"intakes": 1, "leads": int(state == "done"), "dead": int(state != "done"), "consents": 1}
    assert counts(result) == {table: number for table, number in numbers.items() if number}
    assert count_all(outbox) == {"consents": 1}
    assert not says_canary(database)
    row = outbox.owner.execute(
        "SELECT intake_id, page_url, %s = ANY (person_digests) FROM app.consents", [digest("email", EMAIL)]
    )
    assert row.fetchone() == (intake_id, "https://example.com/quote", True)
    audit = outbox.owner.execute(
        "SELECT actor, action, reason, counts FROM app.job_audit WHERE intake_id IS NULL"
    ).fetchall()
    assert audit == [("timer", "retain", "older than 24 months", numbers)]
    assert outbox.owner.execute("SELECT FROM app.erasures").fetchall() == []


def test_what_is_younger_stays_and_nothing_is_logged(outbox: Outbox, run: Run) -> None:
    send_in_state(outbox, "done")
    make_old(outbox, YOUNG)
    assert counts(run("retain")) == {}
    assert count_all(outbox) == {"intake_jobs": 1, "leads": 1, "consents": 1}
    assert outbox.owner.execute("SELECT FROM app.job_audit").fetchall() == []


@pytest.mark.parametrize("state", ["queued", "retrying", "replayed"])
def test_a_queued_one_stays_however_old(outbox: Outbox, run: Run, state: str) -> None:
    intake_id = send_in_state(outbox, state)
    make_old(outbox)
    assert counts(run("retain")) == {}
    assert outbox.queued() == [intake_id]
    outbox.end_rests()
    assert queue.drain_batch(outbox.app) == 1
    assert counts(run("retain"))["leads"] == 1
    assert outbox.leads() == []


def test_the_setting_says_how_old(outbox: Outbox, run: Run) -> None:
    send_in_state(outbox, "done")
    make_old(outbox, datetime.now(UTC) - timedelta(days=100))
    assert counts(run("retain", LEADGEN_RETENTION_MONTHS="4")) == {}
    assert counts(run("retain", LEADGEN_RETENTION_MONTHS="3"))["leads"] == 1
    result = run("retain", LEADGEN_RETENTION_MONTHS="0")
    assert result.exit_code == 1
    assert "LEADGEN_RETENTION_MONTHS is not a whole number from 1 to 99" in result.stderr


def test_leads_of_before_the_outbox_go_too(outbox: Outbox, run: Run) -> None:
    for created_at in (OLD, YOUNG):
        outbox.owner.execute(
            "INSERT INTO app.leads (name, email, state, payload, created_at) VALUES ('A', 'a@b', 'TX', '{}', %s)",
            [created_at],
        )
    assert counts(run("retain")) == {"leads": 1}
    assert count_all(outbox) == {"leads": 1}


def test_what_an_erase_left_goes_in_its_time_and_keeps_its_digests(outbox: Outbox, run: Run) -> None:
    send(outbox, key="a-key")
    assert run("person", "erase", "--email", EMAIL, "--yes").exit_code == 0
    before = outbox.owner.execute("SELECT * FROM app.consents").fetchall()
    assert count_all(outbox) == {"intake_jobs": 1, "consents": 1}
    make_old(outbox)
    assert counts(run("retain"))["intakes"] == 1
    assert count_all(outbox) == {"consents": 1}
    assert outbox.owner.execute("SELECT * FROM app.consents").fetchall() == before


def test_many_go_in_batches_each_with_its_own_commit(
    outbox: Outbox, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal_data, "BATCH", 3)
    monkeypatch.setattr(personal_data, "EXPIRED_MOST", 7)
    for _ in range(17):
        send(outbox)
    queue.drain_batch(outbox.app)
    make_old(outbox)
    stays = send(outbox)
    assert counts(run("retain")) == {"intakes": 17, "leads": 17, "consents": 17}
    assert outbox.queued() == [stays]
    batches = outbox.owner.execute("SELECT (counts ->> 'intakes')::int FROM app.job_audit ORDER BY audit_id")
    assert [number for (number,) in batches] == [3, 3, 1, 3, 3, 1, 3]


def test_one_that_is_being_replayed_is_waited_for_and_stays(database: Database, outbox: Outbox, run: Run) -> None:
    intake_id = send_in_state(outbox, "dead")
    make_old(outbox)
    with ThreadPoolExecutor(1) as pool:
        with outbox.app.transaction():
            dead_jobs.replay(outbox.app, intake_id, actor="ann", reason="again")
            removing = pool.submit(run, "retain")
            wait_for_lock(database)
        assert counts(removing.result(20)) == {}
    assert outbox.queued() == [intake_id]
    assert queue.drain_batch(outbox.app) == 1


@pytest.mark.parametrize("months", [0, -1, None])
def test_the_database_removes_nothing_younger_than_a_month_whatever_is_asked(
    database: Database, outbox: Outbox, months: int | None
) -> None:
    send_in_state(outbox, "done")
    with psycopg.connect(database.app_url) as app, pytest.raises(psycopg.errors.RaiseException):
        app.execute("SELECT app.remove_expired(%s::integer, '[]', 'x')", [months])
    assert len(outbox.leads()) == 1


def test_another_person_is_untouched(outbox: Outbox, run: Run) -> None:
    stays = send(outbox, Someone("bob@example.com", None, "Bob"))
    queue.drain_batch(outbox.app)
    goes = send(outbox)
    queue.drain_batch(outbox.app)
    outbox.owner.execute("UPDATE app.intake_jobs SET created_at = %s WHERE intake_id = %s", [OLD, goes])
    assert counts(run("retain"))["leads"] == 1
    assert outbox.leads() == [stays]
