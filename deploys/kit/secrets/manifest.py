"""Which secrets there are, as the services declare them, and the day on which an environment last rotated each."""

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from deploys.kit import strict_yaml
from deploys.kit.errors import Refused
from deploys.kit.plan import services

NEVER: Final = "never"
_SHAPE: Final = "write each as `<name>: <date>`, such as `redis-worker: 2026-01-31`; without a line: never"


@dataclass(frozen=True)
class Rule:
    """What is known of one secret without opening it; `rotated_on` is an ISO date or `never`.

    `made_by` is the command whose output it is; a random value would not work in its place.
    An `optional` one may be missing.
    """

    consumers: tuple[str, ...]
    minimum_length: int
    rotated_on: str = NEVER
    made_by: str = ""
    optional: bool = False


def load(path: Path) -> dict[str, Rule]:
    """Every secret by its name, in the order of the services. Raises Refused, with every fault in one error."""
    return _read(path, _content(path))


def rotated(path: Path, name: str, day: date) -> str:
    """The manifest's text with that day noted and nothing else changed. Raises Refused when it cannot be."""
    content = _content(path)
    before = _read(path, content)
    wanted = {**before, name: replace(before[name], rotated_on=day.isoformat())}
    line = rf"(?m)^({re.escape(name)}:[ ]*)[\d-]+"
    changed, found = re.subn(line, rf"\g<1>{day.isoformat()}", content, count=1)
    if not found:
        changed += f"{name}: {day.isoformat()}\n"
    try:
        noted = _read(path, changed) == wanted
    except Refused:
        noted = False
    if not noted:
        raise Refused(str(path), f"the day of {name} cannot be noted", _SHAPE)
    return changed


def _content(path: Path) -> str:
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise Refused(str(path), f"cannot be read ({error.strerror})", "restore it from git") from None
    except UnicodeDecodeError as error:
        raise Refused(str(path), f"byte {error.start} is not UTF-8", "save it as UTF-8") from None
    # A file cut off in its last line could hold another date, valid and wrong.
    if not content.endswith("\n"):
        raise Refused(
            str(path), "does not end with a newline, so it may be cut off", "restore the whole file from git"
        )
    return content


def _read(path: Path, content: str) -> dict[str, Rule]:
    try:
        document, faults = strict_yaml.read(content)
    except ValueError as error:
        raise Refused(str(path), str(error), "fix it there") from None
    days = {} if document is None else document
    if not isinstance(days, dict):
        raise Refused(str(path), "is not a list of secrets and days", _SHAPE)
    declared = services.secrets()
    faults |= {name: "is declared by no service" for name in days if name not in declared}
    faults |= {name: f"is {day!r}" for name, day in days.items() if not _is_day(day)}
    if faults:
        raise Refused(str(path), ", ".join(f"{name} {fault}" for name, fault in faults.items()), _SHAPE)
    return {
        name: Rule(
            secret.consumers,
            secret.minimum_length,
            days.get(name, NEVER),
            secret.made_by,
            optional=secret.optional,
        )
        for name, secret in declared.items()
    }


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
