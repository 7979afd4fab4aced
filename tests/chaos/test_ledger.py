"""The ledger: its entries can be read back from the file alone, and half a line is ignored."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.chaos.ledger import Attempt, Ledger, read
from tests.integration.service import until

FIRST = Attempt(1, "key-1", "ab" * 32, "accept", 10.0)


def test_what_was_sent_and_answered_is_read_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    answered = replace(FIRST, answered=10.5, status=202, intake_id="id-1")
    silent = Attempt(2, "key-2", "cd" * 32, "refuse", 11.0)
    ledger.send(FIRST)
    ledger.send(silent)
    ledger.answer(answered)
    ledger.close()
    assert read(tmp_path / "ledger") == [answered, silent]


def test_a_line_that_was_cut_short_does_not_count(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.send(FIRST)
    ledger.answer(replace(FIRST, answered=10.5, status=202, intake_id="id-1"))
    ledger.close()
    text = (tmp_path / "ledger").read_bytes()
    (tmp_path / "ledger").write_bytes(text[:-1])
    assert read(tmp_path / "ledger") == [FIRST]


def test_lines_of_many_threads_are_all_there_and_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    attempts = [replace(FIRST, number=number, key=f"key-{number}") for number in range(2_000)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.send, attempts))
    ledger.close()
    assert sorted(read(tmp_path / "ledger"), key=lambda attempt: attempt.number) == attempts


def test_a_line_is_on_disk_soon_and_not_only_at_the_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.send(FIRST)
    assert until(lambda: read(tmp_path / "ledger") == [FIRST])
    ledger.close()
