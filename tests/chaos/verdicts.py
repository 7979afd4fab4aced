"""The rules that must hold during faults: each is a function that lists its violations."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Final

from tests.chaos.client import GIVES_UP_SECONDS
from tests.chaos.faults import Kind
from tests.chaos.load import Result
from tests.chaos.watcher import Look

HONEST_SECONDS: Final = 5.0  # what the API promises
MARGIN_SECONDS: Final = 1.5  # allowance for the machine and the client
MOST_REFUSALS: Final = 0.95  # are in time; a busy machine may be late with the rest
TAKES_SECONDS: Final = 2.0  # until a changed setting is known to all processes
BACK_SECONDS: Final = 30.0
DRAINED_SECONDS: Final = 60.0


@dataclass(slots=True)
class Window:
    """A fault: when its injection began and ended, its healing began and ended, and submissions were steady."""

    kinds: tuple[Kind, ...]
    injected: float
    done: float = float("inf")
    healing: float = float("inf")
    healed: float = float("inf")
    steady: float = float("inf")
    spared: set[str] = field(default_factory=set)
    """Keys that the fault was meant to affect."""

    def __str__(self) -> str:
        return " + ".join(kind.name for kind in self.kinds)

    def sent_in(self, results: Sequence[Result]) -> Sequence[Result]:
        """Of results in the order in which they were sent."""
        return results[_first_sent(results, self.injected) : _first_sent(results, self.steady)]

    def longest_outage(self, results: Sequence[Result]) -> float:
        """The longest time without a single 202, in seconds; the results are in the order of `sent_in`."""
        near = results[_first_sent(results, self.injected - GIVES_UP_SECONDS) : _first_sent(results, self.steady)]
        inside = (result.attempt.answered or 0.0 for result in near if result.accepted)
        marks = sorted([self.injected, *(at for at in inside if self.injected < at < self.steady), self.steady])
        return max(after - before for before, after in pairwise(marks))


def in_order(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=_sent)


def dishonest(results: Iterable[Result], windows: Sequence[Window]) -> Iterator[str]:
    """2xx only for valid submissions; otherwise 4xx, or 503 with Retry-After; no hang and no cut-off answer."""
    for result in results:
        attempt, answer = result.attempt, result.answer
        ended = attempt.sent + answer.seconds
        near = list(_between(windows, attempt.sent, ended))
        met = [kind for window in near for kind in window.kinds]
        where = f"{', '.join(map(str, near)) or 'no fault'}: {attempt.key} after {answer.seconds:.1f} s"
        if answer.failure == "silent":
            yield f"{where}: no answer"
        elif answer.failure and not any(kind.breaks for kind in met):
            yield f"{where}: connection {answer.failure}"
        if answer.status:
            yield from (f"{where}: {what}" for what in _ill_formed(result))


def slow_to_refuse(results: Iterable[Result]) -> Iterator[str]:
    """A request that cannot be served gets an answer in time, before the client gives up."""
    took = sorted(result.answer.seconds for result in results if result.answer.status == 503)
    if took and (slow := took[int(len(took) * MOST_REFUSALS)]) > HONEST_SECONDS + MARGIN_SECONDS:
        yield f"of {len(took)} answers 503 one in twenty took more than {slow:.1f} s"


def not_isolated(results: Sequence[Result], windows: Iterable[Window]) -> Iterator[str]:
    """No submission fails because of a fault in a part that it does not need."""
    for window in windows:
        if all(kind.isolated for kind in window.kinds):
            for result in window.sent_in(results):
                attempt = result.attempt
                if attempt.wanted == "accept" and not result.accepted and attempt.key not in window.spared:
                    yield f"{window}: {attempt.key} got {attempt.status or result.answer.failure}"


def unsafe(results: Sequence[Result], windows: Iterable[Window]) -> Iterator[str]:
    """Nothing is accepted while a commit might not survive."""
    for window in windows:
        if any(kind.refuses for kind in window.kinds):
            for result in window.sent_in(results):
                began, ended = result.attempt.sent, result.attempt.answered or 0.0
                if result.accepted and window.done + TAKES_SECONDS < began and ended < window.healing:
                    yield f"{window}: {result.attempt.key} was accepted"


def invisible(looks: Sequence[Look], windows: Iterable[Window]) -> Iterator[str]:
    """Health names the fault while it lasts, unless health cannot be reached."""
    for window in windows:
        inside = [look for look in looks if window.injected < look.at < window.healed + MARGIN_SECONDS]
        for kind in window.kinds:
            if (
                kind.shows
                and any(look.health for look in inside)
                and not any(look.names(kind.shows) for look in inside)
            ):
                yield f"{window}: health never named {kind.shows}"


def slow_to_come_back(windows: Iterable[Window]) -> Iterator[str]:
    for window in windows:
        if window.steady - window.healed > BACK_SECONDS:
            yield f"{window}: not steady {BACK_SECONDS:g} s after it was healed"


def slow_to_drain(looks: Iterable[Look]) -> Iterator[str]:
    oldest = max((look.oldest_seconds for look in looks), default=0.0)
    if oldest > DRAINED_SECONDS:
        yield f"an intake waited {oldest:.0f} s to become a lead"


def _between(windows: Sequence[Window], began: float, ended: float) -> Iterator[Window]:
    """The windows that contain a time; they follow one another."""
    for window in windows[bisect_right(windows, began, key=attrgetter("steady")) :]:
        if window.injected >= ended:
            return
        yield window


def _first_sent(results: Sequence[Result], since: float) -> int:
    return bisect_left(results, since, key=_sent)


def _sent(result: Result) -> float:
    return result.attempt.sent


def _ill_formed(result: Result) -> Iterator[str]:
    """An answer that the contract does not know."""
    attempt, answer = result.attempt, result.answer
    if answer.status == 202:
        if attempt.wanted == "refuse":
            yield "202 for a request that must be refused"
    elif answer.status == 409 and attempt.wanted == "refuse":
        pass  # the key of another body: waiting does not help
    elif answer.status in {409, 503}:
        if not answer.retry_after:
            yield f"{answer.status} without Retry-After"
    elif not 400 <= (answer.status or 0) < 500:
        yield f"status {answer.status}"
    elif attempt.wanted == "accept":
        yield f"{answer.status} for a valid lead"
    if answer.status != 202 and answer.media_type != "application/problem+json":
        yield f"{answer.status} as {answer.media_type}"
