"""Pages that are not built yet, from planned.yaml."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from deploys.kit import strict_yaml
from deploys.kit.errors import Refused
from deploys.kit.plan.entry import GROUPS, NAMED, OWN, Entry
from deploys.kit.plan.page_text import Text

FILE: Final = Path(__file__).with_suffix(".yaml")
_KEYS: Final = {"title", "requires", "groups", "row", "purpose", "leaves"}
_REMEDY: Final = "correct it as its neighbours are written"


@cache
def systems() -> dict[str, tuple[Entry, ...]]:
    """System -> its planned pages, both in the order of the file. Raises Refused."""
    return read(FILE)


def read(path: Path) -> dict[str, tuple[Entry, ...]]:
    """The pages of a file. Raises Refused, with everything that is wrong in one error."""
    try:
        document, doubled = strict_yaml.read(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(str(path), str(error), _REMEDY) from None
    if not _is_nested(document):
        raise Refused(
            str(path),
            "must map each system to its pages, and each page to its keys",
            "fix the layout, or restore it from git",
        )
    faults = [f"{key} {what}" for key, what in doubled.items()]
    faults += [
        fault for pages in document.values() for page, values in pages.items() for fault in _faults(page, values)
    ]
    if faults:
        raise Refused(str(path), ", ".join(faults), _REMEDY)
    return {
        system: tuple(_entry(page, values) for page, values in pages.items()) for system, pages in document.items()
    }


def _is_nested(document: object) -> bool:
    systems = document.values() if isinstance(document, dict) else [None]
    return all(
        isinstance(pages, dict) and all(isinstance(page, dict) for page in pages.values()) for pages in systems
    )


def _faults(page: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{page} has no {key}" for key in sorted(_KEYS - set(values)))
    yield from (f"{page}.{key} is not a known key" for key in sorted(set(values) - _KEYS - {"differs"}))
    for key, value in values.items():
        listed = key in ("requires", "groups")
        if not value or isinstance(value, list) != listed:
            yield f"{page}.{key} is not {'a list' if listed else 'text'}"
        elif key in ("purpose", "leaves", "differs") and not value.endswith("."):
            yield f"{page}.{key} is not a sentence"
        elif key == "groups" and (unknown := [group for group in value if group not in GROUPS]):
            yield f"{page}.groups has {', '.join(unknown)}, which is none of {', '.join(GROUPS)}"
        elif key == "row" and not (value.isdecimal() or value in (NAMED, OWN)):
            yield f"{page}.row is neither a number nor {NAMED} nor {OWN}"


def _entry(page: str, values: Mapping[str, Any]) -> Entry:
    text = Text(values["purpose"], values["leaves"], differs=values.get("differs", ""))
    return Entry(
        page, values["title"], tuple(values["requires"]), tuple(values["groups"]), values["row"], plan=text
    )
