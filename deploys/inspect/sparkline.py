"""The last day as small pictures: ten minutes to a step, drawn by SVG paths that a page shows as they are."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from deploys.services.alerts.samples import DAY, Day

STEPS: Final = 144
STEP: Final = DAY / STEPS
HEIGHT: Final = 32
_OK: Final = 200
_UNKNOWN: Final = "unknown"
_LOST: Final = timedelta(hours=1)  # a count over a longer gap would be a peak that never was
_HOUR_MINUTES: Final = 60

Values = list[int | None]  # one a step; None where nothing was measured


@dataclass(frozen=True)
class Line:
    """A number over the day; `outline` and `area` are paths, STEPS wide and HEIGHT high."""

    title: str
    now: str
    rest: str  # the day in a few words
    outline: str
    area: str


@dataclass(frozen=True)
class Strip:
    """Well or not over the day: each band from a step to another one."""

    title: str
    now: str  # yes, no, unknown
    rest: str
    bands: list["Band"]


class Band(NamedTuple):
    first: int
    steps: int
    good: bool


class Scale(NamedTuple):
    """How a number is written, and what the picture's height stands for at least."""

    title: str
    text: Callable[[int], str]
    least: int


def _milliseconds(value: int) -> str:
    return f"{value} ms"


def _seconds(value: int) -> str:
    if value < 2 * _HOUR_MINUTES:
        return f"{value} s"
    minutes = value // 60
    return f"{minutes} min" if minutes < 2 * _HOUR_MINUTES else f"{minutes // 60} h"


def _percent(value: int) -> str:
    return f"{value} %"


# What the samples may hold -> how it is shown.
NUMBERS: Final = {
    "ready_ms": Scale("Time to say ready", _milliseconds, 20),
    "oldest": Scale("Oldest queued", _seconds, 10),
    "queue": Scale("Queue", str, 10),
    "dead": Scale("Put aside", str, 5),
    "disk": Scale("Fullest disk", _percent, 100),
}
_ACCEPTED: Final = Scale("Accepted in 10 min", str, 5)


def charts(day: Day) -> list[Line | Strip]:
    """Of all that the day has; what it lacks, such as a queue on a host without the intake, is left out."""
    strips = [
        strip(day, "ready", "Ready for leads", lambda value: value == _OK),
        strip(day, "alarms", "Without an alarm", lambda value: value == 0),
    ]
    numbers = [number(day, word, scale) for word, scale in NUMBERS.items()]
    return [chart for chart in (*strips, accepted(day), *numbers) if chart]


def number(day: Day, word: str, scale: Scale) -> Line | None:
    """None without any sample."""
    measured = taken(day, word)
    values = spread(day, measured, max)
    now = measured[-1][1] if values[-1] is not None else None
    return (
        line(scale, values, now, f"peak {scale.text(max(value for _, value in measured))}") if measured else None
    )


def accepted(day: Day) -> Line | None:
    """None unless there are two samples to compare."""
    grown = growth(taken(day, "accepted"))
    values = spread(day, grown, sum)
    return line(_ACCEPTED, values, values[-1], f"{sum(more for _, more in grown)} in all") if grown else None


def taken(day: Day, word: str) -> list[tuple[datetime, int]]:
    return [(sample.at, sample.values[word]) for sample in day.samples if word in sample.values]


def growth(counts: Sequence[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """By how much a counter grew from one sample to the next; it begins again at zero when its program starts."""
    return [
        (at, count - before if count >= before else count)
        for (earlier, before), (at, count) in pairwise(counts)
        if at - earlier <= _LOST
    ]


def spread(day: Day, measured: Iterable[tuple[datetime, int]], together: Callable[[Iterable[int]], int]) -> Values:
    """The measurements by their step of the day, the newest step last; those of one step as one number."""
    steps: list[list[int]] = [[] for _ in range(STEPS)]
    for at, value in measured:
        steps[max(0, min(STEPS - 1, STEPS - 1 - (day.now - at) // STEP))].append(value)
    return [together(values) if values else None for values in steps]


def line(scale: Scale, values: Values, now: int | None, rest: str) -> Line:
    """`now` is None where the last ten minutes have no value."""
    top = max(scale.least, *(value for value in values if value is not None))
    outline, area = [], []
    for run in runs(values):
        edges = [
            f"{'V' if at else f'M{step} '}{_height(value, top)}H{step + 1}" for at, (step, value) in enumerate(run)
        ]
        outline += edges
        area += [*edges, f"V{HEIGHT}H{run[0][0]}Z"]
    return Line(scale.title, _UNKNOWN if now is None else scale.text(now), rest, "".join(outline), "".join(area))


def runs(values: Values) -> list[list[tuple[int, int]]]:
    """Step and value of each stretch without a gap."""
    found: list[list[tuple[int, int]]] = []
    for step, value in enumerate(values):
        if value is None:
            continue
        if not step or values[step - 1] is None:
            found.append([])
        found[-1].append((step, value))
    return found


def strip(day: Day, word: str, title: str, good: Callable[[int], bool]) -> Strip | None:
    """None without any sample; a step with one bad sample is bad."""
    measured = [(at, int(not good(value))) for at, value in taken(day, word)]
    if not measured:
        return None
    bands: list[Band] = []
    values = spread(day, measured, max)
    for step, bad in enumerate(values):
        if bad is None:
            continue
        last = bands[-1] if bands else None
        if last and last.good == (not bad) and last.first + last.steps == step:
            bands[-1] = last._replace(steps=last.steps + 1)
        else:
            bands.append(Band(step, 1, not bad))
    well = sum(not bad for _, bad in measured)
    now = _UNKNOWN if values[-1] is None else "no" if measured[-1][1] else "yes"
    return Strip(title, now, f"{well} of {len(measured)} times", bands)


def _height(value: int, top: int) -> str:
    """From the upper edge; the line of a zero stays inside the picture."""
    return f"{HEIGHT - 1 - (HEIGHT - 2) * value / top:.1f}".removesuffix(".0")
