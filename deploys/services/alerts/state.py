"""The state of the alerts: what the host's own check finds now, for status."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.services.alerts import alerts

_LOOK: Final = f"[ ! -x {alerts.CHECK} ] || {alerts.CHECK}"
_SECONDS: Final = 60
_LINE: Final = re.compile(r"([^\t]+)\t(alarm|notice)\t([^\t]+)\t([^\t]+)")
_PAGE: Final = "docs/runbooks/alerts.md"
# What status finds out by itself: from the units, the steps and the lock, and from the state.py of each service.
KNOWN: Final = (
    *("unit-masked", "unit-missing", "unit-failed", "unit-stopped", "page-red", "run-open"),
    *("wal", "backup", "drill", "dumps", "intake-ready", "intake-health", "intake-keys"),
    *("certificate-now", "certificate-unreadable"),
)


class Trouble(NamedTuple):
    """One line of the check; `kind` is the id up to its colon, which has its paragraph in the runbook."""

    kind: str
    level: str
    since: str
    what: str


def troubles(host: Host, _settings: object, _release: object) -> list[str]:
    """What fails, each in a sentence; empty on a host without alerts."""
    return [
        f"{host.name}: {each.what} (since {each.since}); {_PAGE}, {each.kind}"
        for each in _look(host)
        if each.level == "alarm" and each.kind not in KNOWN
    ]


def news(host: Host) -> str:
    """What will fail unless a person acts within days."""
    return "; ".join(each.what for each in _look(host) if each.level == "notice")


def _look(host: Host) -> Iterator[Trouble]:
    """What the check prints; whatever else is printed is a trouble too."""
    answer = host.get_fact(Probe, _LOOK, _SECONDS)
    for line in answer.lines:
        if found := _LINE.fullmatch(line):
            id_, level, since, what = found.groups()
            yield Trouble(id_.partition(":")[0], level, since, what)
        else:
            yield Trouble("unknown", "alarm", "now", f"the check says {line!r}")
    if not answer.green:
        yield Trouble("unknown", "alarm", "now", f"the check ends with {answer.status}")
