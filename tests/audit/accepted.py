"""Advisories that we live with for a while: each with a reason and a last day."""

from datetime import date
from pathlib import Path
from typing import Final

from deploys.kit import strict_yaml
from deploys.kit.errors import Refused

FILE: Final = Path(__file__).with_name("accepted.yaml")
_KEYS: Final = {"reason", "until"}


def ids(path: Path, today: date) -> list[str]:
    """Those whose last day has not passed. Raises Refused for an entry without a reason or a day."""
    document, faults = strict_yaml.read(path.read_text(encoding="utf-8"))
    for where, what in faults.items():
        raise Refused(f"{path}: {where}", what, "correct it")
    return [name for name, entry in (document or {}).items() if today <= _until(path, name, entry)]


def _until(path: Path, name: str, entry: object) -> date:
    where = f"{path}: {name}"
    if not isinstance(entry, dict) or entry.keys() != _KEYS or not str(entry["reason"]).strip():
        raise Refused(where, "does not have exactly a reason and a day", "write `reason:` and `until:`")
    try:
        return date.fromisoformat(str(entry["until"]))
    except ValueError:
        raise Refused(where, f"{entry['until']!r} is not a day", "write it as 2027-01-31") from None
