"""What a campaign shows at its end: a line for each kind of fault, and what broke which rule."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tests.chaos.campaign import Outcome

HEADINGS: Final = ("fault", "times", "acknowledged", "lost", "duplicated", "refused", "unknown", "longest outage")
SHOWN_MOST: Final = 8


def show(outcome: Outcome) -> Iterator[str]:
    """The lines, to be printed."""
    lines = [HEADINGS, *_rows(outcome)]
    width = max(len(line[0]) for line in lines)
    for line in lines:
        yield f"{line[0]:<{width}}" + "".join(
            f"{cell:>{len(heading) + 2}}" for heading, cell in zip(HEADINGS[1:], line[1:], strict=True)
        )
    reckoning = outcome.reckoning
    yield (
        f"\n{sum(len(window.kinds) for window in outcome.windows)} faults of {len(kinds_of(outcome))} kinds in"
        f" {outcome.seconds:.0f} s: {reckoning.acknowledged} acknowledged, {len(reckoning.lost)} lost,"
        f" {len(reckoning.duplicated)} duplicated"
    )
    for rule, faults in outcome.broken.items():
        yield f"{'BROKEN' if faults else 'holds '}  {rule}"
        yield from (f"          {fault}" for fault in faults[:SHOWN_MOST])
        if len(faults) > SHOWN_MOST:
            yield f"          and {len(faults) - SHOWN_MOST} more"


def kinds_of(outcome: Outcome) -> set[str]:
    return {kind.name for window in outcome.windows for kind in window.kinds}


def _rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    """By the kind of fault; two simultaneous ones get a separate line."""
    by_kind = defaultdict(list)
    for window in outcome.windows:
        by_kind[str(window) if len(window.kinds) == 1 else "two at once"].append(window)
    lost, duplicated = set(outcome.reckoning.lost), set(outcome.reckoning.duplicated)
    for name, windows in sorted(by_kind.items()):
        met = [result for window in windows for result in window.sent_in(outcome.results)]
        keys = {result.attempt.key for result in met}
        statuses = [result.attempt.status for result in met]
        yield (
            name,
            str(len(windows)),
            str(statuses.count(202)),
            str(len(lost & keys)),
            str(len(duplicated & keys)),
            str(sum(1 for status in statuses if status and 400 <= status < 500)),
            str(sum(1 for status in statuses if status is None or status >= 500)),
            f"{max(window.longest_outage(outcome.results) for window in windows):.1f} s",
        )
