"""What a manifest pins: the form of each value, how to measure it, and the record that a page reads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Generic, TypeVar

from marshmallow import Schema, ValidationError, fields, missing
from typing_extensions import override

UNPINNED: Final = "unpinned"  # not measured yet
WORKTREE: Final = "worktree"  # build this checkout, committed or not

TWO_NUMBERS: Final = r"\d+\.\d+"
TWO_OR_THREE_NUMBERS: Final = r"\d+\.\d+(\.\d+)?"
THREE_NUMBERS: Final = r"\d+\.\d+\.\d+"
SHA256: Final = r"[0-9a-f]{64}"
DAY: Final = r"\d{4}-\d{2}-\d{2}"
FILE: Final = r"\w[\w.+-]*"
ADDRESS_OR_FILE: Final = rf"https://[\w.-]+(:\d+)?/[\w./%~=?&+-]+|{FILE}"
# With its registry: a short name is looked up in every registry that the host searches.
IMAGE: Final = r"(?=[^/]*[.:])[a-z0-9-]+(\.[a-z0-9-]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
# It cannot begin with a capital: HEAD and its like are not tags, they move.
REF: Final = r"[a-z]\w*([.-]\w+)*(/\w+([.-]\w+)*)*"

_MISSING: Final = "is missing"
_NO_KEYS: Final = "holds no keys"
_COUNTED: Final = {
    TWO_NUMBERS: "two numbers",
    THREE_NUMBERS: "three numbers",
    TWO_OR_THREE_NUMBERS: "two or three numbers",
}

P = TypeVar("P")


@dataclass(frozen=True)
class Built:
    """An image that we build: its exact version, and the git ref that holds its Containerfile."""

    version: str
    ref: str


@dataclass(frozen=True)
class Packaged:
    """A program from the host's distribution, by its exact version."""

    version: str


@dataclass(frozen=True)
class Kind(Generic[P]):
    """The record that a service's block of the manifest becomes, and the form of that block.

    `measured`: key -> the Debian package whose version it is; a lab host measures those itself.
    """

    record: type[P]
    form: "fields.Field[Any]"
    measured: Mapping[str, str] = field(default_factory=dict)


class Keys(Schema):
    """A block of the manifest; every key in it is known."""

    error_messages = {"unknown": "is no key of a manifest", "type": _NO_KEYS}  # noqa: RUF012 - marshmallow's own form


class OneOf(fields.Field[Any]):
    """A block of one of several forms; the key `method` says which."""

    def __init__(self, meaning: str, **forms: Mapping[str, "fields.Field[Any]"]) -> None:
        super().__init__(required=True, error_messages={"required": _MISSING})
        self.method = value("|".join(forms), meaning)
        self.forms = {method: _schema({"method": fields.String(), **keys}) for method, keys in forms.items()}

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(_NO_KEYS)
        try:
            method = str(self.method.deserialize(value.get("method", missing)))
        except ValidationError as error:
            raise ValidationError({"method": error.messages}) from None
        return self.forms[method].load(value)


def value(pattern: str, meaning: str) -> fields.String:
    """One value of a manifest: its form, and what belongs there and how it is measured."""
    return fields.String(
        required=True,
        validate=_form(pattern),
        error_messages={"required": _MISSING, "invalid": "is no single value"},
        metadata={"meaning": meaning},
    )


def block(**keys: "fields.Field[Any]") -> fields.Nested:
    """A block of the manifest that has these keys."""
    return fields.Nested(_schema(keys), required=True, error_messages={"required": _MISSING})


def built(service: str, package: str, pattern: str, ending: str = "up to its first dash") -> Kind[Built]:
    """Of an image whose Containerfile installs `package`."""
    version = value(pattern, in_base(package, pattern, ending))
    return Kind(Built, block(version=version, ref=ref(f"containers/{service} is")), {"version": package})


def packaged(package: str, pattern: str) -> Kind[Packaged]:
    """Of a program that the host installs as `package`."""
    version = value(
        pattern,
        f"{_COUNTED[pattern]}: what `apt-get update && apt-cache policy {package}` (or `dnf list {package}`) on"
        " the host offers, up to its first dash",
    )
    return Kind(Packaged, block(version=version), {"version": package})


def in_base(package: str, pattern: str, ending: str = "up to its first dash") -> str:
    """The meaning of a version that the base image's mirror decides."""
    return (
        f"{_COUNTED[pattern]}: the candidate of `apt-get update && apt-cache policy {package}` in a container of"
        f" base, {ending}"
    )


def ref(what: str) -> fields.String:
    """A git tag; `what` names the folders that are built from it, with their verb."""
    return value(REF, f"the git tag whose {what} built, of those in `git tag --list`; `worktree` in the lab")


def is_ref(text: str) -> bool:
    """Whether it has the form of a git tag, or is the lab's `worktree`."""
    return re.fullmatch(REF, text, re.ASCII) is not None


def _schema(keys: Mapping[str, "fields.Field[Any]"]) -> Schema:
    return Keys.from_dict(dict(keys))()


def _check_day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValidationError(f"is {text!r}, a day that no month has") from None


def _form(pattern: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if text == UNPINNED:
            raise ValidationError("is unpinned")
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValidationError(f"is {text!r}" if text else "is empty")
        if pattern == DAY:
            _check_day(text)

    return check
