"""`leadgen erasures`: a restored database lets no erased person come back, and keeps what came later."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from leadgen.store import queue
from tests.conftest import Database, administer, make_database
from tests.integration.cli.personal_data import EMAIL, Run, counts, invoke
from tests.integration.outbox import Outbox
from tests.integration.people import CANARY, Someone, count_all, says_canary, send, send_in_state

LATER = timedelta(minutes=5)
NOTHING = {"intakes": 0, "queued": 0, "dead": 0, "leads": 0, "consents": 0}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `leadgen …` on a database."""
    return lambda database, *arguments, **others: invoke(database.app_url, tmp_path, *arguments, **others)


@pytest.fixture
def restored(database: Database) -> Callable[[], Database]:
    """Copy the database as it is now: what a restore of its last backup would make. No session may be open."""
    return lambda: make_database(database.server, database.name)


def drop(database: Database) -> None:
    administer(database.server, f"DROP DATABASE {database.name} WITH (FORCE)")


def erase(run: Run, database: Database, *arguments: str) -> None:
    assert run(database, "person", "erase", *(arguments or ("--email", EMAIL)), "--yes").exit_code == 0


def audit(database: Database) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner_url) as owner:
        return owner.execute("SELECT action, reason FROM app.job_audit ORDER BY audit_id").fetchall()


def test_a_person_in_a_restored_database_is_erased_again_and_others_stay(
    database: Database, restored: Callable[[], Database], run: Run
) -> None:
    with Outbox(database) as outbox:
        for state in ("done", "dead", "queued"):
            send_in_state(outbox, state, key=state)
        neighbour = send(outbox, Someone(f"x{EMAIL}", "(512) 555-0199", "Bob"))
    older = restored()
    erase(run, database)
    tombstones = run(database, "erasures", "list", "--json").stdout
    assert run(older, "erasures", "load", "-", stdin=tombstones).stdout == "1 added, 0 known\n"
    assert says_canary(older), "the restored database has to have what the live one has no more"
    result = run(older, "erasures", "replay")
    assert result.exit_code == 0
    assert counts(result) == {"intakes": 3, "queued": 1, "dead": 1, "leads": 1, "consents": 3}
    assert audit(older) == [("erase", "erased before")]
    assert run(older, "erasures", "list", "--json").stdout == tombstones
    with Outbox(older) as outbox:
        assert outbox.queued() == [neighbour]
        outbox.owner.execute("DELETE FROM app.intake_queue")
        outbox.owner.execute("DELETE FROM app.intake_jobs WHERE intake_id = %s", [neighbour])
    assert not says_canary(older)
    drop(older)


def test_a_second_replay_finds_nothing(database: Database, restored: Callable[[], Database], run: Run) -> None:
    with Outbox(database) as outbox:
        send(outbox)
    older = restored()
    erase(run, database)
    run(older, "erasures", "load", "-", stdin=run(database, "erasures", "list", "--json").stdout)
    assert counts(run(older, "erasures", "replay"))["intakes"] == 1
    result = run(older, "erasures", "replay")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "1 tombstones replayed")
    assert counts(result) == {}
    assert len(audit(older)) == 1
    drop(older)


def test_what_a_person_sends_after_the_erase_stays(database: Database, run: Run) -> None:
    with Outbox(database) as outbox:
        send(outbox)
        erase(run, database)
        stays = send(outbox, received=datetime.now(UTC) + LATER)
        queued = send(outbox, received=datetime.now(UTC) + LATER)
        outbox.owner.execute("DELETE FROM app.intake_queue WHERE intake_id = %s", [queued])
        goes = send(outbox, received=datetime.now(UTC) - LATER)
        queue.drain_batch(outbox.app)
        assert outbox.leads() == [stays, goes]
        assert counts(run(database, "erasures", "replay"))["intakes"] == 1
        assert outbox.leads() == [stays]
        left = outbox.owner.execute("SELECT intake_id FROM app.intake_jobs ORDER BY 1").fetchall()
        assert left == [(stays,), (queued,)]


def test_the_last_of_several_erases_of_a_person_counts(database: Database, run: Run) -> None:
    with Outbox(database) as outbox:
        for _ in range(3):
            send(outbox)
            erase(run, database)
            outbox.owner.execute("UPDATE app.erasures SET erased_at = erased_at - interval '1 hour'")
        outbox.owner.execute("UPDATE app.erasures SET erased_at = erased_at + interval '1 hour'")
        send(outbox, received=datetime.now(UTC) - LATER)
        assert counts(run(database, "erasures", "replay"))["intakes"] == 1
        assert outbox.queued() == []


def test_a_submission_from_a_clock_that_was_ahead_is_erased_and_not_replayed_short(
    database: Database, run: Run
) -> None:
    with Outbox(database) as outbox:
        send(outbox, received=datetime.now(UTC) + LATER)
        erase(run, database)
        assert count_all(outbox) == {"consents": 1}
        row = outbox.owner.execute("SELECT erased_at > now() FROM app.erasures").fetchone()
        assert row == (True,)


def test_another_key_matches_nothing_and_is_an_error(database: Database, run: Run) -> None:
    with Outbox(database) as outbox:
        send(outbox)
        erase(run, database)
        send(outbox, received=datetime.now(UTC) - LATER)
        result = run(database, "erasures", "replay", key="o" * 32)
        assert (result.exit_code, result.stdout) == (1, "0 tombstones replayed\n")
        assert result.stderr == (
            "erasures replay: 1 tombstones are of another key, so what they stand for may be in this database; "
            "run this again with the key that they were made with\n"
        )
        assert len(outbox.queued()) == 1


def test_tombstones_are_loaded_once(database: Database, restored: Callable[[], Database], run: Run) -> None:
    other = restored()
    with Outbox(database) as outbox:
        for number in range(3):
            send(outbox, Someone(f"{number}{EMAIL}", None))
            erase(run, database, "--email", f"{number}{EMAIL}")
    lines = run(database, "erasures", "list", "--json").stdout
    first = lines.splitlines()[0]
    assert run(other, "erasures", "load", "-", stdin=first).stdout == "1 added, 0 known\n"
    assert run(other, "erasures", "load", "-", stdin=lines + "\n").stdout == "2 added, 1 known\n"
    assert run(other, "erasures", "load", "-", stdin=lines).stdout == "0 added, 3 known\n"
    assert run(other, "erasures", "list", "--json").stdout == lines
    drop(other)


def test_a_list_for_people_has_a_line_for_each(database: Database, run: Run) -> None:
    with Outbox(database) as outbox:
        send(outbox)
    erase(run, database, "--phone", "512 555 0100")
    ((_, kind, _, key_id, rows),) = [
        line.split("\t") for line in run(database, "erasures", "list").stdout.splitlines()
    ]
    assert (kind, len(key_id), rows) == ("phone", 16, "3")


GOOD = {
    "erasure_id": str(uuid4()),
    "kind": "email",
    "digest": "a" * 64,
    "key_id": "b" * 16,
    "erased_at": "2026-05-01T10:00:00+00:00",
    "counts": {"intakes": 1},
}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "it is not a tombstone in JSON"),
        ("[]", "it is not an object with the members of a tombstone"),
        (json.dumps(GOOD | {"name": CANARY}), "it is not an object with the members of a tombstone"),
        (json.dumps(GOOD | {"kind": "name"}), "its kind has another form"),
        (json.dumps(GOOD | {"erased_at": CANARY}), "it is not a tombstone in JSON"),
        (json.dumps(GOOD | {"digest": "zz"}), "its digest has another form"),
    ],
)
def test_one_bad_line_and_nothing_is_loaded(database: Database, run: Run, line: str, said: str) -> None:
    result = run(database, "erasures", "load", "-", stdin=f"{json.dumps(GOOD)}\n{line}\n")
    assert (result.exit_code, result.stderr) == (
        1,
        f"line 2: {said}; take the file as `leadgen erasures list --json` printed it; nothing was loaded\n",
    )
    assert run(database, "erasures", "list", "--json").stdout == ""


def test_a_file_is_loaded_too(database: Database, run: Run, tmp_path: Path) -> None:
    (tmp_path / "tombstones").write_text(json.dumps(GOOD) + "\n")
    assert run(database, "erasures", "load", str(tmp_path / "tombstones")).stdout == "1 added, 0 known\n"
    assert json.loads(run(database, "erasures", "list", "--json").stdout) == GOOD


def test_a_database_without_this_releases_schema_is_reported_in_our_own_message(
    bare_database: Database, run: Run
) -> None:
    for command in (("erasures", "replay"), ("retain",), ("person", "find", "--email", EMAIL)):
        result = run(bare_database, *command)
        assert result.exit_code == 1
        assert "`leadgen migrate --dry-run`" in result.stderr
        assert len(result.stderr.splitlines()) == 1
