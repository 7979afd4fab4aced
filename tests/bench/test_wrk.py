"""The input and output of wrk and pgbench."""

import json

import pytest

from tests.bench import pgbench, wrk
from tests.bench.errors import CannotMeasure, Missing

REPORTED = {"answered": 3_000, "microseconds": 1_500_000, "refused": 0, "broken": 0, "p50": 9_000, "p99": 20_000}


def test_a_rate_is_made_of_what_was_answered_and_the_time_it_took() -> None:
    found = wrk.read(f"Running 1s test\n  words of wrk\n{json.dumps(REPORTED)}\n")
    assert (found.per_second, found.p99) == (2_000, 0.02)


@pytest.mark.parametrize("fault", [{"refused": 1}, {"broken": 2}, {"answered": 0}])
def test_a_run_with_one_bad_answer_is_not_a_measurement(fault: dict[str, int]) -> None:
    with pytest.raises(CannotMeasure, match="read the server's log"):
        wrk.read(json.dumps(REPORTED | fault))


def test_without_wrk_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Missing, match="apt-get install wrk"):
        wrk.drive("http://127.0.0.1:9", "key", {}, connections=1, seconds=1)


def test_pgbench_is_given_our_own_statement_with_one_intake() -> None:
    text = pgbench.statement()
    assert text.count("ARRAY[") == len(pgbench.COLUMNS)
    assert "%b" not in text
    assert "INSERT INTO app.intake_queue" in text
