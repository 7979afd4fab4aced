"""Which secrets an environment has: who reads each, how long it must be, when it was rotated last."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields

from deploys.kit import strict_yaml
from deploys.kit.errors import Refused

NEVER: Final = "never"
_NAME: Final = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"  # also a file's name, and a part of the name in Podman
_CONSUMER: Final = r"[A-Za-z]\w*(-\w+)*"
_SHAPE: Final = (
    "below each name write consumers (a list of pages or units), minimum_length (a number) and rotated_on"
    " (a date such as 2026-01-31, or never)"
)


@dataclass(frozen=True)
class Rule:
    """What is known of one secret without opening it; `rotated_on` is an ISO date or `never`.

    `made_by` is the command whose output it is; a random value would be no such thing.
    """

    consumers: tuple[str, ...]
    minimum_length: int
    rotated_on: str
    made_by: str = ""


def load(path: Path) -> dict[str, Rule]:
    """By name, in the file's order. Raises Refused, with every fault of the file in one error."""
    return _read(path, _content(path))


def rotated(path: Path, name: str, day: date) -> str:
    """The manifest's text with that day noted and nothing else changed. Raises Refused when it cannot be."""
    content = _content(path)
    line = rf"(?m)^({re.escape(name)}:[ ]*(?:\#.*)?\n(?:(?:[ ].*)?\n)*?[ ]+rotated_on:[ ]*)[\w-]+"
    changed = re.sub(line, rf"\g<1>{day.isoformat()}", content, count=1)
    before = _read(path, content)
    if _read(path, changed) != {**before, name: replace(before[name], rotated_on=day.isoformat())}:
        raise Refused(
            str(path), f"the day of {name} cannot be noted", "give its rotated_on a line of its own, indented"
        )
    return changed


def _content(path: Path) -> str:
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise Refused(str(path), f"cannot be read ({error.strerror})", "restore it from git") from None
    except UnicodeDecodeError as error:
        raise Refused(str(path), f"byte {error.start} is no UTF-8", "save it as UTF-8") from None
    # Cut off within its last line, the file could demand a shorter secret.
    if not content.endswith("\n"):
        raise Refused(str(path), "its last line has no end", "restore the whole file from git")
    return content


def _read(path: Path, content: str) -> dict[str, Rule]:
    try:
        document, faults = strict_yaml.read(content)
    except ValueError as error:
        raise Refused(str(path), str(error), "mend it there") from None
    if not isinstance(document, dict):
        raise Refused(str(path), "names no secret", _SHAPE)
    faults |= {key: fault for name in document for key, fault in _faults(name, document[name]).items()}
    if faults:
        raise Refused(str(path), ", ".join(f"{key} {fault}" for key, fault in faults.items()), _SHAPE)
    return {name: _rule(value) for name, value in document.items()}


def _rule(value: Mapping[str, Any]) -> Rule:
    return Rule(
        tuple(value["consumers"]), int(value["minimum_length"]), value["rotated_on"], value.get("made_by", "")
    )


def _faults(name: str, value: object) -> dict[str, str]:
    """What is wrong with one entry: dotted key -> fault."""
    if not re.fullmatch(_NAME, name, re.ASCII):
        return {name: "is no name of a secret (small letters, digits, single hyphens)"}
    if not isinstance(value, dict):
        return {name: "holds no keys"}
    return {f"{name}.{key}": _first(messages) for key, messages in _Rule().validate(value).items()}


def _first(messages: Any) -> str:  # noqa: ANN401 - marshmallow nests a list's messages by their place
    while not isinstance(messages, str):
        messages = next(iter(messages.values())) if isinstance(messages, dict) else messages[0]
    return messages


def _form(pattern: str) -> fields.String:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValidationError(f"is {value!r}" if value else "is empty")

    return fields.String(required=True, validate=check, error_messages=_MESSAGES)


def _day(value: str) -> None:
    try:
        known = value == NEVER or date.fromisoformat(value).isoformat() == value
    except ValueError:
        known = False
    if not known:
        raise ValidationError(f"is {value!r}")


def _some(value: list[str]) -> None:
    if not value:
        raise ValidationError("names nobody")


_MESSAGES: Final[dict[str, str | list[Any] | dict[Any, Any]]] = {
    "required": "is missing",
    "invalid": "is no single value",
}


class _Rule(Schema):
    error_messages = {"unknown": "is no key of a secret"}  # noqa: RUF012 - marshmallow's own form

    consumers = fields.List(
        _form(_CONSUMER),
        required=True,
        validate=_some,
        error_messages={"required": "is missing", "invalid": "is no list"},
    )
    minimum_length = _form(r"[1-9][0-9]{0,3}")
    rotated_on = fields.String(required=True, validate=_day, error_messages=_MESSAGES)
    made_by = fields.String(error_messages=_MESSAGES)
