"""`leadgen person`: a person is found, exported and erased, by any way to write their address or number."""

import hmac
import json
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from leadgen.cli import leadgen
from leadgen.dev.place import Place
from leadgen.domain.erasure import ErasureKey, Identity
from leadgen.store import queue
from tests.conftest import Database
from tests.integration.outbox import Outbox
from tests.integration.people import CANARY, Someone, count_all, dump, says_canary, send, send_in_state

KEY = "k" * 32
EMAIL = f"{CANARY.lower()}@example.com"
PHONE = "+15125550100"
NO_KEY = (
    "erasure key: LEADGEN_ERASURE_KEY is not set, and the digests that stay after an erase need it; "
    "set LEADGEN_ERASURE_KEY_FILE to a file with at least 32 random bytes, and never change them\n"
)
STATES = ("queued", "retrying", "done", "dead", "discarded", "replayed")

Run = Callable[..., Result]


@pytest.fixture
def run(outbox: Outbox, tmp_path: Path) -> Run:
    """Run `leadgen …`, without a terminal, with the erasure key in a file unless another is given."""

    def run(*arguments: str, input: str | None = None, key: str | None = KEY) -> Result:  # noqa: A002 - click's word
        environ = {"LEADGEN_DATABASE_URL": outbox.url}
        if key is not None:
            (tmp_path / "key").write_text(f"{key}\n")
            environ["LEADGEN_ERASURE_KEY_FILE"] = str(tmp_path / "key")
        return CliRunner(env=environ).invoke(leadgen, arguments, input=input)

    return run


def counts(result: Result) -> dict[str, int]:
    """The counts that a command printed last."""
    pairs = [line.split("\t") for line in result.stdout.splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def digest(kind: str, value: str) -> bytes:
    return hmac.digest(KEY.encode(), f"{kind}:{value}".encode(), "sha256")


def audit(outbox: Outbox) -> list[tuple[Any, ...]]:
    return outbox.owner.execute(
        "SELECT actor, action, intake_id, reason, person_digest, counts FROM app.job_audit ORDER BY audit_id"
    ).fetchall()


def erase(run: Run, *arguments: str) -> Result:
    result = run("person", "erase", *(arguments or ("--email", EMAIL)), "--yes")
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize(
    "arguments",
    [
        ("--email", EMAIL),
        ("--email", f"  <{EMAIL.upper()}> "),
        ("--phone", "512.555.0100"),
        ("--phone", "+1 (512) 555-0100"),
    ],
)
def test_a_person_is_found_by_any_way_to_write_it_and_not_shown(
    outbox: Outbox, run: Run, arguments: tuple[str, ...]
) -> None:
    done = send(outbox)
    queue.drain_batch(outbox.app)
    queued = send(outbox)
    result = run("person", "find", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert counts(result) == {"intakes": 2, "queued": 1, "dead": 0, "leads": 1, "consents": 1}
    lines = [line.split("\t") for line in result.stdout.splitlines()[5:]]
    assert [(line[0], line[1], line[3]) for line in lines] == [
        (str(done), "wordpress", "done"),
        (str(queued), "wordpress", "queued"),
    ]
    assert CANARY.lower() not in result.output.lower()


def test_someone_unknown_is_found_nowhere(outbox: Outbox, run: Run) -> None:
    send(outbox)
    result = run("person", "find", "--email", "ann@example.com")
    assert set(counts(result).values()) == {0}
    assert len(result.stdout.splitlines()) == 5


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


@pytest.mark.parametrize("command", ["export", "erase"])
def test_a_reason_that_names_the_person_is_refused(outbox: Outbox, run: Run, command: str) -> None:
    send(outbox)
    yes = ["--yes"] if command == "erase" else []
    result = run("person", command, "--phone", PHONE, "--reason", "she called from 512-555-0100", *yes)
    assert result.exit_code == 2
    assert "--reason names the person, and it is kept: write it without" in result.stderr
    assert len(outbox.queued()) == 1
    assert audit(outbox) == []


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
    for counts in (asked_about, erased):
        assert re.findall(r"^(\w+)\s+\d+$", counts, re.MULTILINE) == tables


def test_an_export_has_everything_and_is_on_the_audit_trail(outbox: Outbox, run: Run) -> None:
    send_in_state(outbox, "dead")
    send(outbox, Someone("other@example.com", None, "Bob"))
    result = run("person", "export", "--phone", PHONE, "--by", "ann")
    document = json.loads(result.stdout)
    assert document["phone"] == PHONE
    (intake,) = document["intakes"]
    assert (intake["state"], intake["failed_attempts"]) == ("dead", 8)
    assert intake["payload"]["contact"]["full_name"] == f"Ann {CANARY}"
    assert "fingerprint" not in intake
    assert document["leads"] == []
    ((*_, reason, person, numbers),) = audit(outbox)
    assert (reason, person) == ("the person asked for it", digest("phone", PHONE))
    assert numbers == {"intakes": 1, "queued": 0, "dead": 1, "leads": 0, "consents": 0}
    queue.drain_batch(outbox.app)
    document = json.loads(run("person", "export", "--email", "other@example.com").stdout)
    assert [lead["full_name"] for lead in document["leads"]] == ["Bob"]
    assert [consent["channel"] for consent in document["consents"]] == ["email"]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        (Someone(f"{CANARY} at example", "(512) 555-0100"), ("--email", f"{CANARY.upper()} AT  Example")),
        (Someone(f"other@example.com, {EMAIL}", None), ("--email", EMAIL)),
        (Someone(EMAIL, "512-555-0199 or 512-555-0100"), ("--phone", PHONE)),
        (Someone(EMAIL, "555 01.00"), ("--phone", "(555) 0100")),
        (Someone("call 512-555-0100", "512-555-0199"), ("--phone", PHONE)),
    ],
)
def test_a_person_is_found_by_what_could_not_be_read_whole(
    outbox: Outbox, database: Database, run: Run, written: Someone, asked: tuple[str, ...]
) -> None:
    send(outbox, written)
    queue.drain_batch(outbox.app)
    send(outbox, written)
    assert counts(run("person", "find", *asked))["intakes"] == 2
    erase(run, *asked)
    assert not says_canary(database)


def test_a_text_that_is_no_address_is_looked_for_as_it_is_and_said(outbox: Outbox, run: Run) -> None:
    send(outbox, Someone("ann at example", "(512) 555-0100"))
    result = run("person", "find", "--email", "nn at example")
    assert result.stderr == "not an email address: only what was written exactly so is found\n"
    assert counts(result)["intakes"] == 0


def test_a_lead_of_before_the_outbox_is_found_and_erased(database: Database, outbox: Outbox, run: Run) -> None:
    outbox.owner.execute(
        "INSERT INTO app.leads (name, email, state, payload) VALUES (%s, %s, 'TX', '{}')", [CANARY, EMAIL]
    )
    assert counts(run("person", "find", "--email", EMAIL))["leads"] == 1
    assert counts(erase(run))["leads"] == 1
    assert not says_canary(database)


def test_a_lead_whose_address_was_corrected_is_found_by_both(database: Database, outbox: Outbox, run: Run) -> None:
    send_in_state(outbox, "done")
    outbox.owner.execute("UPDATE app.leads SET email = 'right@example.com'")
    assert counts(run("person", "find", "--email", EMAIL))["leads"] == 1
    erase(run, "--email", "Right@example.com")
    assert not says_canary(database)
    assert count_all(outbox) == {"consents": 1}


def test_without_a_key_a_person_is_found_and_exported_and_the_erase_says_what_to_do(
    outbox: Outbox, run: Run
) -> None:
    send(outbox)
    assert counts(run("person", "find", "--email", EMAIL, key=None))["intakes"] == 1
    assert len(json.loads(run("person", "export", "--email", EMAIL, key=None).stdout)["intakes"]) == 1
    for command in (("person", "erase", "--email", EMAIL, "--yes"), ("erasures", "replay"), ("retain",)):
        result = run(*command, key=None)
        assert (result.exit_code, result.stderr) == (1, NO_KEY)
    assert outbox.queued() != []


def test_a_short_key_is_refused(run: Run) -> None:
    result = run("person", "erase", "--email", EMAIL, "--yes", key="k" * 31)
    assert result.exit_code == 1
    assert "LEADGEN_ERASURE_KEY has fewer than 32 bytes" in result.stderr
    assert "kkkk" not in result.stderr


def test_the_value_can_come_from_standard_input(outbox: Outbox, run: Run) -> None:
    send(outbox)
    assert counts(run("person", "find", "--email", "-", input=f"{EMAIL}\n"))["intakes"] == 1
    result = run("person", "erase", "--phone", "-", "--yes", input=f"{PHONE}\n")
    assert result.exit_code == 0
    assert outbox.queued() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --email or --phone, and one of them only"),
        (("--email", EMAIL, "--phone", PHONE), "give --email or --phone, and one of them only"),
        (("--email", f"{EMAIL} b@example.com"), "--email has more than one; look for one at a time"),
        (("--email", " "), "--email is empty"),
        (("--email", "-"), "--email is empty"),
        (("--phone", "-()"), "--phone is empty"),
    ],
)
@pytest.mark.parametrize("command", ["find", "export", "erase"])
def test_a_person_has_to_be_named_once_and_an_error_repeats_no_name(
    run: Run, command: str, arguments: tuple[str, ...], said: str
) -> None:
    result = run("person", command, *arguments, input="")
    assert result.exit_code == 2
    assert said in result.stderr
    assert CANARY.lower() not in result.output.lower()


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


def test_the_dev_profiles_key_is_its_own_and_private(tmp_path: Path) -> None:
    first = Place(tmp_path).erasure_key_file()
    text = first.read_text()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert len(text.strip()) >= 32
    assert Place(tmp_path).erasure_key_file().read_text() == text
