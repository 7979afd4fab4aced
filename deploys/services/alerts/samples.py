"""The last day of a host, a line a minute, as its check writes it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.services.alerts import alerts

DAY: Final = timedelta(days=1)
_LOOK: Final = (
    "date --utc +%FT%TZ;"
    f" [ ! -f {alerts.SAMPLES} ] ||"
    f" tail -c {alerts.SAMPLES_BYTES} {alerts.SAMPLES} | tail -n {alerts.SAMPLES_KEPT}"
)
_LINE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)((?: [a-z_]{1,20}=\d{1,15})+)", re.ASCII)
_AHEAD: Final = timedelta(minutes=1)  # a clock that was set back has left later ones


class Sample(NamedTuple):
    """One minute; `values` holds what there was to measure, such as `queue`, in the units of alerts-check."""

    at: datetime
    values: Mapping[str, int]


class Day(NamedTuple):
    """Samples of the 24 hours before `now`, by the host's own clock, oldest first."""

    now: datetime
    samples: list[Sample]


def read(host: Host) -> Day:
    """Without any on a host that has written none."""
    first, *lines = host.get_fact(Probe, _LOOK).lines or [""]
    now = _time(first) or datetime.now(UTC)
    known = (sample for sample in parse(lines) if now - DAY < sample.at <= now + _AHEAD)
    return Day(now, sorted(known, key=lambda sample: sample.at))


def parse(lines: Iterable[str]) -> Iterator[Sample]:
    """A line that a kill or a disk has damaged is left out; the others count."""
    for line in lines:
        found = _LINE.fullmatch(line)
        if found and (at := _time(found[1])):
            words = (word.split("=") for word in found[2].split())
            yield Sample(at, {name: int(number) for name, number in words})


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
