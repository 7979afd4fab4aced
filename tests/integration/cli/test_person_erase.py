"""`leadgen person erase`: the person is gone; others stay, and so do evidence, tombstone and audit trail."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leadgen.domain.erasure import ErasureKey, Identity
from leadgen.store import queue
from tests.conftest import Database
from tests.integration.cli.personal_data import EMAIL, KEY, PHONE, Run, audit, counts, digest, erase
from tests.integration.outbox import Outbox
from tests.integration.people import CANARY, Someone, count_all, dump, says_canary, send, send_in_state

STATES = ("queued", "retrying", "done", "dead", "discarded", "replayed")
NEIGHBOURS = (
    f"x{EMAIL}",
    f"{EMAIL}.au",
    EMAIL.replace("@", "+home@"),
    EMAIL.replace("@", ".1@"),
    EMAIL.replace("@example", "@mail.example"),
    EMAIL.replace("z", "2", 1),
)


@pytest.mark.parametrize("state", ["queued", "done"])
def test_a_person_with_a_similar_address_or_number_is_left_alone(outbox: Outbox, run: Run, state: str) -> None:
    for number, email in enumerate(NEIGHBOURS):
        send(outbox, Someone(email, f"(512) 555-010{number + 1}"))
    send(outbox, Someone(None, "(512) 555-0110"))
    if state == "done":
        queue.drain_batch(outbox.app)
    before = dump_rows(outbox)
    send_in_state(outbox, state)
    erase(run, "--email", EMAIL)
    assert dump_rows(outbox) == before
    send_in_state(outbox, state)
    erase(run, "--phone", PHONE)
    assert dump_rows(outbox) == before


def dump_rows(outbox: Outbox) -> list[object]:
    """Every row of a person who is there."""
    return [
        outbox.owner.execute(f"SELECT to_jsonb(row) FROM app.{table} AS row ORDER BY intake_id").fetchall()
        for table in ("intake_jobs", "intake_queue", "leads")
    ]


@pytest.mark.parametrize("state", STATES)
def test_after_an_erase_the_name_is_nowhere_in_the_database(
    database: Database, outbox: Outbox, run: Run, state: str
) -> None:
    send_in_state(outbox, state, key="a-key")
    assert says_canary(database), "the dump has to show what is there"
    result = erase(run)
    assert not says_canary(database)
    assert count_all(outbox) == {"intake_jobs": 1, "consents": 1}
    printed = counts(result)
    assert (printed["intakes"], printed["consents"]) == (1, 1)
    assert printed["queued"] + printed["dead"] + printed["leads"] == 1
    queue.drain_with_suspects(outbox.app)
    assert outbox.leads() == []


def test_an_intake_without_a_key_is_erased_as_a_whole(database: Database, outbox: Outbox, run: Run) -> None:
    send(outbox)
    erase(run)
    assert count_all(outbox) == {"consents": 1}
    assert not says_canary(database)


@pytest.mark.parametrize("key", [f"form-{EMAIL}-7", "1-512-555-0100/9"])
def test_an_idempotency_key_that_names_the_person_goes_with_them(
    database: Database, outbox: Outbox, run: Run, key: str
) -> None:
    send(outbox, key=key)
    erase(run)
    assert count_all(outbox) == {"consents": 1}
    assert key not in dump(database)


def test_consents_stay_as_evidence_under_the_digests_of_address_and_number(outbox: Outbox, run: Run) -> None:
    columns = "intake_id, position, channel, granted, text_version, text_sha256, given_at, recorded_at"
    drained = send_in_state(outbox, "done")
    before = outbox.owner.execute(f"SELECT {columns} FROM app.consents").fetchall()
    queued = send(outbox)
    erase(run)
    assert outbox.owner.execute(
        f"SELECT {columns} FROM app.consents WHERE intake_id = %s", [drained]
    ).fetchall() == (before)
    kept = outbox.owner.execute("SELECT intake_id, granted, page_url, person_digests FROM app.consents").fetchall()
    both = sorted([digest("email", EMAIL), digest("phone", PHONE)])
    assert sorted(kept) == sorted((each, True, "https://example.com/quote", both) for each in (drained, queued))
    for arguments in (("--email", EMAIL), ("--phone", PHONE)):
        assert counts(run("person", "find", *arguments))["consents"] == 2
        document = json.loads(run("person", "export", *arguments).stdout)
        assert [consent["text_version"] for consent in document["consents"]] == ["2026-01"] * 2
    assert counts(run("person", "find", "--email", EMAIL, key="o" * 32))["consents"] == 0


def test_an_erase_keeps_a_tombstone_and_is_on_the_audit_trail(outbox: Outbox, run: Run) -> None:
    intake_id = send_in_state(outbox, "discarded")
    erase(run, "--email", EMAIL, "--by", "ann", "--reason", "letter of 1 May")
    numbers = {"intakes": 1, "queued": 0, "dead": 1, "leads": 0, "consents": 1}
    assert audit(outbox) == [
        ("bob", "discard", intake_id, "removed with the intake", None, None),
        ("ann", "erase", None, "letter of 1 May", digest("email", EMAIL), numbers),
    ]
    (tombstone,) = outbox.owner.execute("SELECT kind, digest, key_id, counts FROM app.erasures").fetchall()
    assert tombstone == ("email", digest("email", EMAIL), ErasureKey(KEY.encode()).key_id, numbers)


def test_a_person_who_is_gone_when_the_question_is_answered_is_no_error(outbox: Outbox, tmp_path: Path) -> None:
    send(outbox)
    with at_the_question(outbox, tmp_path) as (keyboard, asked):
        outbox.owner.execute("DELETE FROM app.intake_queue")
        outbox.owner.execute("DELETE FROM app.intake_jobs")
        os.write(keyboard, b"y\n")
        output, error = asked.communicate(timeout=60)
    assert (asked.returncode, error.count("Traceback")) == (0, 0), error
    asked_about, _, erased = output.partition("erased, with the tombstone")
    assert "intakes\t0" in erased
    tables = ["intakes", "queued", "dead", "leads", "consents"]
    for printed in (asked_about, erased):
        assert re.findall(r"^(\w+)\s+\d+$", printed, re.MULTILINE) == tables


def test_a_lead_of_before_the_outbox_is_found_and_erased(database: Database, outbox: Outbox, run: Run) -> None:
    outbox.owner.execute(
        "INSERT INTO app.leads (name, email, state, payload) VALUES (%s, %s, 'TX', '{}')", [CANARY, EMAIL]
    )
    assert counts(run("person", "find", "--email", EMAIL))["leads"] == 1
    assert counts(erase(run))["leads"] == 1
    assert not says_canary(database)


def test_nothing_is_erased_without_a_yes(outbox: Outbox, run: Run) -> None:
    send(outbox)
    result = run("person", "erase", "--email", EMAIL)
    assert result.exit_code == 2
    assert counts(result)["intakes"] == 1
    assert "there is no terminal to ask at: check the counts and give --yes" in result.stderr
    assert count_all(outbox) == {"intake_jobs": 1, "intake_queue": 1}


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), ("n", 1, 1), ("", 1, 1)])
def test_on_a_terminal_it_asks(outbox: Outbox, tmp_path: Path, answer: str, code: int, left: int) -> None:
    send(outbox)
    with at_the_question(outbox, tmp_path) as (keyboard, asked):
        os.write(keyboard, f"{answer}\n".encode())
        output, error = asked.communicate(timeout=60)
    assert asked.returncode == code, error
    assert "intakes\t1" in output
    assert len(outbox.queued()) == left


@contextmanager
def at_the_question(outbox: Outbox, tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`leadgen person erase` on a terminal of its own, once it has asked; and the keyboard of that terminal."""
    (tmp_path / "key").write_text(KEY)
    environ = {"LEADGEN_DATABASE_URL": outbox.url, "LEADGEN_ERASURE_KEY_FILE": str(tmp_path / "key")}
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "leadgen", "person", "erase", "--email", EMAIL]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=terminal, stdout=pipe, stderr=pipe, text=True, env=environ) as asked:
        os.close(terminal)
        assert asked.stderr
        question = "Erase these rows for good? [y/N]: "
        assert asked.stderr.read(len(question)) == question
        yield keyboard, asked
    os.close(keyboard)


def test_an_erase_of_someone_unknown_leaves_no_tombstone(outbox: Outbox, run: Run) -> None:
    send(outbox)
    result = erase(run, "--email", "other@example.com")
    assert result.stderr == "nothing to erase\n"
    assert outbox.owner.execute("SELECT FROM app.erasures").fetchall() == []
    assert audit(outbox) == []


def test_an_erase_under_another_key_warns(outbox: Outbox, run: Run) -> None:
    send(outbox)
    erase(run)
    send(outbox)
    result = run("person", "erase", "--email", EMAIL, "--yes", key="o" * 32)
    assert "warning: 1 earlier tombstones are of another key" in result.stderr


def test_the_tombstone_says_no_name_and_no_guessable_digest(outbox: Outbox, run: Run) -> None:
    send(outbox)
    erase(run)
    line = run("erasures", "list", "--json").stdout
    assert digest("email", EMAIL).hex() in line
    assert ErasureKey(b"o" * 32).digest(Identity("email", EMAIL)).hex() not in line
    assert CANARY.lower() not in line.lower()
