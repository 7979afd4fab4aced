"""The page of all recorded campaigns: appends one, and updates the total."""

import re
import subprocess
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from leadgen.errors import LeadgenError
from tests.chaos.campaign import Outcome

PROJECT: Final = Path(__file__).parents[2]
PAGE: Final = PROJECT / "docs/reference/proof.md"
TOTAL: Final = "all of them"

_ROW: Final = re.compile(r"^\| (\d{4}-\d\d-\d\d|all of them) \|.*\|\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the page, in the order of its columns."""

    date: str
    commit: str
    seed: str
    kinds: int
    faults: int
    acknowledged: int
    lost: int
    duplicated: int
    broken: int
    """The number of broken rules."""

    def __str__(self) -> str:
        cells = (f"{cell:,}" if isinstance(cell, int) else cell for cell in astuple(self))
        return f"| {' | '.join(cells)} |\n"


def entries(page: str) -> list[Entry]:
    """The rows of a page, including the total, which is the last."""
    rows = [[cell.strip() for cell in match[0].split("|")[1:-1]] for match in _ROW.finditer(page)]
    return [
        Entry(date, commit, seed, *(int(cell.replace(",", "")) for cell in counts))
        for date, commit, seed, *counts in rows
    ]


def total(rows: list[Entry]) -> Entry:
    """The largest number of kinds in one campaign, and the sum of all other columns."""
    sums = (sum(getattr(row, name) for row in rows) for name in Entry.__slots__[4:])
    return Entry(TOTAL, "", "", max((row.kinds for row in rows), default=0), *sums)


def append(page: str, entry: Entry) -> str:
    """The page with one more row and the new total."""
    rows = [*(row for row in entries(page) if row.date != TOTAL), entry]
    head, _, rest = page.partition(next(_ROW.finditer(page))[0])
    tail = _ROW.sub("", rest)
    return head + "".join(map(str, [*rows, total(rows)])) + tail


def commit() -> str:
    """The checked-out commit. Raises LeadgenError when files differ from it: that could not be repeated."""
    if _git("status", "--porcelain"):
        raise LeadgenError(
            "record", "the checkout has changes that are not committed", "commit them, or do not record"
        )
    return _git("rev-parse", "--short=9", "HEAD")


def entry_of(outcome: Outcome, commit_id: str) -> Entry:
    reckoning = outcome.reckoning
    kinds = [kind.name for window in outcome.windows for kind in window.kinds]
    return Entry(
        date=datetime.now(UTC).date().isoformat(),
        commit=commit_id,
        seed=str(outcome.orders.seed),
        kinds=len(set(kinds)),
        faults=len(kinds),
        acknowledged=reckoning.acknowledged,
        lost=len(reckoning.lost),
        duplicated=len(reckoning.duplicated),
        broken=sum(1 for faults in outcome.broken.values() if faults),
    )


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()
