"""The state of the backups: what their programs report on the host, and what is wrong with it."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pyinfra import logger
from pyinfra.api.host import Host
from pyinfra.context import host

from deploys.kit.facts import Probe
from deploys.kit.run.steps import Steps
from deploys.services.backup import pgbackrest

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

# The host's own time, then each program's last report on one line; empty on a host without backups.
_LOOK: Final = (
    f"cd {pgbackrest.STATE} 2>/dev/null || exit 0; date --utc +%FT%TZ;"
    ' for each in ship backup drill dumps; do echo "$each $(cat "$each.json" 2>/dev/null)"; done'
)
_DRILLED: Final = f"date --utc +%FT%TZ; cat {pgbackrest.STATE}/drill.json 2>/dev/null; true"
_LABEL: Final = re.compile(r"(\d{8}-\d{6}F_)?\d{8}-\d{6}[FDI]")
SHIP_AGE: Final = timedelta(minutes=2)  # it reports every few seconds
BACKUP_AGE: Final = timedelta(hours=26)  # one per day, plus two hours to take it
DRILL_AGE: Final = timedelta(days=2)  # one per day, with room for one that was missed
DUMPS_AGE: Final = timedelta(days=2)
_PAGE: Final = "docs/services/backup.md"


def troubles(host: Host, _settings: object, _release: object) -> list[str]:
    """Every fault in a sentence; empty on a host without backups."""
    answer = host.get_fact(Probe, _LOOK)
    if not answer.lines:
        return []
    now, *lines = answer.lines
    said = {name: _read(text) for name, _, text in (line.partition(" ") for line in lines)}
    at = _time(now)
    found = [
        *_ship(said.get("ship", {}), at),
        *_backup(said.get("backup", {}), at),
        *_drill(said.get("drill", {}), at),
        *_dumps(said.get("dumps", {}), at),
    ]
    return [f"{host.name}: {fault}; {_PAGE}" for fault in found]


def news(host: Host) -> str:
    """What the last drill has proved."""
    said = proof(host)
    return f"last drill: {said}" if said else ""


def proof(of: Host) -> str:
    """What the last drill restored, how fast, and what would have been lost; empty if it was not green."""
    return _proof(_read("".join(of.get_fact(Probe, _DRILLED).lines[1:])))


def warn(page: "Page") -> None:
    """At load of a page that may change the database: records the last drill, or warns without a good one."""
    if (step := host.get_fact(Steps).get("PLAT_08")) and step.passed:
        now, *text = host.get_fact(Probe, _DRILLED).lines
        said = _read("".join(text))
        faults = list(_drill(said, _time(now)))
        for fault in faults:
            logger.warning(f"{host.name}: {page.id}: {fault}; {_PAGE}")
        page.run.note(page.id, {"warning": "; ".join(faults)} if faults else {"drill": _proof(said)})


def _ship(said: Mapping[str, Any], now: datetime) -> Iterator[str]:
    if not said or now - _time(said["at"]) > SHIP_AGE:
        yield f"WAL: the shipper has reported nothing since {said.get('at', 'its installation')}"
    elif not said["ok"]:
        yield f"WAL: {said['reason']} (since {said['since']})"


def _backup(said: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """An old good backup is a fault too: perhaps no newer one was attempted."""
    label = said.get("label", "") if _LABEL.fullmatch(said.get("label", "")) else ""
    if said and not said["ok"]:
        yield f"backup: {said['reason']} ({said['at']}; the last good one is {label or 'none'})"
    elif not label or now - _taken(label) > BACKUP_AGE:
        yield f"backup: the last one is {label or 'none'}"


def _drill(said: Mapping[str, Any], now: datetime) -> Iterator[str]:
    if said and not said["ok"]:
        yield f"drill: {said['reason']} ({said['at']})"
    elif not said or now - _time(said["at"]) > DRILL_AGE:
        yield f"drill: none has passed since {said.get('at', 'its installation')}"


def _dumps(said: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Old dumps that stay are copies of personal data that should be gone."""
    if said and not said["ok"]:
        yield f"dumps: {said['reason']} ({said['at']})"
    elif not said or now - _time(said["at"]) > DUMPS_AGE:
        yield f"dumps: old ones have not been removed since {said.get('at', 'its installation')}"


def _proof(said: Mapping[str, Any]) -> str:
    if not said or not said["ok"]:
        return ""
    took, lost = said.get("rto_seconds"), said.get("rpo_seconds")
    return f"{said.get('label')} was restored in {took} s; {lost} s of data would have been lost ({said['at']})"


def _taken(label: str) -> datetime:
    """When a backup began: a label is the time of the full backup and, after `_`, its own, with its kind."""
    return datetime.strptime(label.rpartition("_")[2][:-1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _read(text: str) -> dict[str, Any]:
    """A program's report; empty where an edit or a full disk left something else."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and {"at", "ok", "reason"} <= said.keys() else {}
