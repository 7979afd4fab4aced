"""`leadgen person`: who is meant, by any way to write an address or number; found, exported, and named nowhere."""

import json
import stat
from pathlib import Path

import pytest

from leadgen.dev.place import Place
from leadgen.store import queue
from tests.conftest import Database
from tests.integration.cli.personal_data import EMAIL, PHONE, Run, audit, counts, digest, erase
from tests.integration.outbox import Outbox
from tests.integration.people import CANARY, Someone, count_all, says_canary, send, send_in_state

NO_KEY = (
    "erasure key: LEADGEN_ERASURE_KEY is not set, and the digests that stay after an erase need it; "
    "set LEADGEN_ERASURE_KEY_FILE to a file with at least 32 random bytes, and never change them\n"
)


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


@pytest.mark.parametrize("command", ["export", "erase"])
def test_a_reason_that_names_the_person_is_refused(outbox: Outbox, run: Run, command: str) -> None:
    send(outbox)
    yes = ["--yes"] if command == "erase" else []
    result = run("person", command, "--phone", PHONE, "--reason", "she called from 512-555-0100", *yes)
    assert result.exit_code == 2
    assert "--reason names the person, and it is kept: write it without" in result.stderr
    assert len(outbox.queued()) == 1
    assert audit(outbox) == []


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
    assert counts(run("person", "find", "--email", "-", stdin=f"{EMAIL}\n"))["intakes"] == 1
    result = run("person", "erase", "--phone", "-", "--yes", stdin=f"{PHONE}\n")
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
    result = run("person", command, *arguments, stdin="")
    assert result.exit_code == 2
    assert said in result.stderr
    assert CANARY.lower() not in result.output.lower()


def test_the_dev_profiles_key_is_its_own_and_private(tmp_path: Path) -> None:
    first = Place(tmp_path).erasure_key_file()
    text = first.read_text()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert len(text.strip()) >= 32
    assert Place(tmp_path).erasure_key_file().read_text() == text
