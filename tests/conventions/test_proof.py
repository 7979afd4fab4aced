"""The page of campaigns adds up: its sum is that of its rows."""

from tests.chaos.record import PAGE, TOTAL, Entry, append, entries, total

WRONG = "| all of them |  |  | 1 | 2 | 3 | 0 | 0 | 0 |"


def faults_of(page: str) -> list[str]:
    *rows, last = entries(page)
    return [] if last == total(rows) and last.date == TOTAL else [f"{last} is not the sum, which is {total(rows)}"]


def test_the_sum_of_all_campaigns_is_that_of_the_rows() -> None:
    assert faults_of(PAGE.read_text(encoding="utf-8")) == []


def test_a_sum_that_does_not_add_up_is_found() -> None:
    page = append(PAGE.read_text(encoding="utf-8"), Entry("2026-11-21", "0b0bbfd12", "1", 37, 50, 12_000, 0, 0, 0))
    assert faults_of(page) == []
    assert len(faults_of(page.replace(str(entries(page)[-1]).strip(), WRONG))) == 1
