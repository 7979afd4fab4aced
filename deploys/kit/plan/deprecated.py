"""A superseded page: kept for its history, marked by a banner, and refused whoever runs it."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NoReturn

from deploys.kit.errors import Refused
from deploys.kit.plan import runbook

TITLE: Final = "DEPRECATED - DO NOT RUN"
NONE: Final = "none"
_MARK: Final = re.compile(r'^(#+ ?|"""|\'\'\')')
_LINE: Final = re.compile(r"(?P<name>Reason|Date|Replacement): (?P<value>\S.*)")
_BANNER_LINES: Final = 6
_POLICY: Final = "docs/policies/deprecation.md"


@dataclass(frozen=True)
class Banner:
    """Why and when a page was superseded, and which page of the runbook stands in for it, or `none`."""

    reason: str
    date: date
    replacement: str


def refuse(file: str) -> NoReturn:
    """The first statement of a superseded page: raises Refused, with what its banner says."""
    found = read(Path(file))
    remedy = "nothing replaces it"
    if found.replacement != NONE:
        remedy = f"run {runbook.find(found.replacement).file} instead"
    raise Refused(file, f"deprecated since {found.date} ({found.reason})", remedy)


def read(path: Path) -> Banner:
    """The banner that the file begins with. Raises Refused where it is not whole."""
    text = path.read_text(encoding="utf-8")
    first, *rest = (_MARK.sub("", line).strip() for line in [*text.splitlines()[:_BANNER_LINES], ""])
    values = {match["name"]: match["value"] for line in rest if (match := _LINE.fullmatch(line))}
    faults = [] if first == TITLE else [f"its first line is not {TITLE!r}"]
    faults += [f"its banner has no {name}" for name in ("Reason", "Date", "Replacement") if name not in values]
    if not faults:
        faults = _value_faults(values)
    if faults:
        raise Refused(str(path), ", ".join(faults), f"write the banner as {_POLICY} shows it")
    return Banner(values["Reason"], date.fromisoformat(values["Date"]), values["Replacement"])


def _value_faults(values: dict[str, str]) -> list[str]:
    faults = []
    if not _is_day(values["Date"]):
        faults.append(f"{values['Date']!r} is no date")
    ready = {entry.id for entry in runbook.ORDER}
    if values["Replacement"] not in ready | {NONE}:
        faults.append(f"{values['Replacement']!r} is no page that is ready, nor {NONE!r}")
    return faults


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
