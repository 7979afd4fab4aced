"""The page of all campaigns: a row is added, and the sum follows."""

from tests.chaos.record import PAGE, Entry, append, entries, total

EMPTY = """\
# Proof

| date | commit | seed | kinds | faults | acknowledged | lost | duplicated | rules broken |
|---|---|---|---|---|---|---|---|---|
| all of them |  |  | 0 | 0 | 0 | 0 | 0 | 0 |

What comes after stays.
"""
FIRST = Entry("2026-11-21", "0b0bbfd12", "1", 37, 50, 12_000, 0, 0, 0)
SECOND = Entry("2026-11-22", "0b0bbfd12", "2", 20, 1_000, 100_000, 1, 2, 3)


def test_a_campaign_goes_before_the_sum_and_into_it() -> None:
    page = append(append(EMPTY, FIRST), SECOND)
    assert entries(page) == [FIRST, SECOND, Entry("all of them", "", "", 37, 1_050, 112_000, 1, 2, 3)]
    assert page.startswith("# Proof\n\n| date |")
    assert page.endswith("\n\nWhat comes after stays.\n")


def test_the_page_of_this_project_takes_a_row() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = entries(append(page, FIRST))
    assert rows[-2] == FIRST
    assert rows[-1] == total(rows[:-1])
