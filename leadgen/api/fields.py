"""The types of the fields of a submission: each reads strictly, converts nothing and says what it expects.

A message has the form `<code>: <sentence>`; neither part ever repeats the value.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, ClassVar, Final, TypedDict, TypeVar, Unpack

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from marshmallow import Schema, ValidationError, fields, types, validates_schema

_T = TypeVar("_T")

_ABSENT: Final[types.ErrorMessages] = {
    "required": "required: This field is required.",
    "null": "null: Leave this field out instead of sending null.",
}

# Fast paths for common addresses and numbers, because the libraries take 50 to 70 microseconds for each. A test
# checks that both ways give the same results.
_PLAIN_EMAIL: Final = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@"
    r"((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+(?:com|net|org|edu|gov|us|io))"
)
_PLAIN_EMAIL_MOST: Final = 63  # of either side: the maximum length of a domain label
# Mailboxes such as info@ and sales@ are case-insensitive; other mailboxes may not be.
_MAILBOXES: Final = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)
_PLAIN_PHONE: Final = re.compile(
    r"(?:\+?1[ .-]?)?(?:\(([2-9]\d\d)\)|([2-9]\d\d))[ .-]?([2-9]\d\d)[ .-]?(\d{4})", re.ASCII
)


class About(TypedDict, total=False):
    """What OpenAPI shows for a field besides its rule."""

    description: str
    examples: list[object]


class Value(fields.Field[_T]):
    """A field whose whole rule is `read`."""

    def __init__(self, rule: Mapping[str, object], about: About, *, required: bool) -> None:
        super().__init__(required=required, metadata={**rule, **about}, error_messages=_ABSENT)

    def read(self, value: object) -> _T:
        """Return what the value means, or raise ValidationError."""
        raise NotImplementedError

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, Any] | None, **kwargs: object
    ) -> _T:
        del attr, data, kwargs
        return self.read(value)


class Text(Value[str]):
    """Text with a maximum length that fully matches a regular expression."""

    format: ClassVar[str | None] = None

    def __init__(
        self, shape: str, wants: str, *, most: int, required: bool = True, **about: Unpack[About]
    ) -> None:
        rule = {"type": "string", "maxLength": most, "pattern": f"^{shape}$"}
        if self.format:
            rule["format"] = self.format
        super().__init__(rule, about, required=required)
        self._fits = re.compile(shape).fullmatch
        self._wants = wants
        self._most = most

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("type: This must be a string.")
        if len(value) > self._most:
            raise ValidationError(f"too_long: This must have at most {self._most:,} characters.")
        if not self._fits(value):
            raise ValidationError(f"format: {self._wants}")
        return value


class Line(Text):
    """One line of text that is not blank."""

    def __init__(self, *, most: int, **about: Unpack[About]) -> None:
        shape = r"[^\S\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*"
        super().__init__(shape, "This must be one line of text that is not blank.", most=most, **about)


class MaybeBlankLine(Text):
    """One line of text that may be empty, as browsers send for unknown values."""

    def __init__(self, *, most: int, **about: Unpack[About]) -> None:
        super().__init__(
            r"[^\x00-\x1f\x7f]*", "This must be one line of text.", most=most, required=False, **about
        )


class Choice(Value[str]):
    """One of a few allowed words."""

    def __init__(self, *allowed: str, **about: Unpack[About]) -> None:
        super().__init__({"type": "string", "enum": list(allowed)}, about, required=True)
        self._allowed = frozenset(allowed)
        self._wants = f"choice: This must be one of: {', '.join(allowed)}."

    def read(self, value: object) -> str:
        if not isinstance(value, str) or value not in self._allowed:
            raise ValidationError(self._wants)
        return value


class Email(Text):
    """An email address, read into its normal form, without a DNS lookup."""

    format = "email"

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__(r"[^\s@]+@[^\s@]+", "This is not an email address.", most=254, required=False, **about)

    def read(self, value: object) -> str:
        plain = plain_email(value) if isinstance(value, str) else None
        return plain or any_email(super().read(value))


class Phone(Text):
    """A phone number, read into E.164; a US number unless it starts with +."""

    def __init__(self, **about: Unpack[About]) -> None:
        shape = r"[^0-9\x00-\x1f\x7f]*[0-9][^\x00-\x1f\x7f]*"
        super().__init__(shape, "This is not a phone number.", most=40, required=False, **about)

    def read(self, value: object) -> str:
        plain = plain_phone(value) if isinstance(value, str) else None
        return plain or any_phone(super().read(value))


class Day(Text):
    """A date."""

    format = "date"

    def __init__(self, *, required: bool = True, **about: Unpack[About]) -> None:
        super().__init__(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "This must be a date like 2026-03-31.",
            most=10,
            required=required,
            **about,
        )

    def read(self, value: object) -> str:
        text = super().read(value)
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValidationError("date: This is not a real date.") from None
        return text


class Instant(Text):
    """An RFC 3339 time with its UTC offset, with at most microseconds."""

    format = "date-time"

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
            r"(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])",  # PostgreSQL takes offsets below 16 hours
            "This must be a time with a UTC offset, like 2026-01-28T15:04:05-06:00.",
            most=32,
            **about,
        )

    def read(self, value: object) -> str:
        text = super().read(value)
        try:
            datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("date: This is not a real date and time.") from None
        return text


class Count(Value[int]):
    """A whole number, at least 1."""

    def __init__(self, *, most: int, required: bool = True, **about: Unpack[About]) -> None:
        super().__init__({"type": "integer", "minimum": 1, "maximum": most}, about, required=required)
        self._most = most

    def read(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValidationError("type: This must be a whole number.")
        if not 1 <= value <= self._most:
            raise ValidationError(f"range: This must be from 1 to {self._most:,}.")
        return value


class Flag(Value[bool]):
    """True or false, without coercion."""

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "boolean"}, about, required=True)

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("type: This must be true or false.")
        return value


class Part(Schema):
    """An object in a submission; unknown fields are rejected."""

    error_messages = {  # noqa: RUF012 - marshmallow, which reads it, says that it is the instance's
        "unknown": "unknown: This field is unknown.",
        "type": "type: This must be an object.",
    }

    rule: ClassVar[Mapping[str, object]] = {}  # the rule of `check`, for OpenAPI

    def read(self, value: object) -> dict[str, Any]:
        """Read a valid object, several times faster than `load`, which collects all faults.

        Raises ValidationError or KeyError at the first fault.
        """
        if not isinstance(value, dict) or not self._required <= value.keys():
            raise ValidationError(self.error_messages["type"])
        readers = self._readers
        members = {name: readers[name](member) for name, member in value.items()}
        self.check(members)
        return members

    def check(self, members: dict[str, Any]) -> None:
        """Raise ValidationError if fields that are valid on their own do not fit together."""

    @validates_schema
    def _check(self, members: dict[str, Any], **_options: object) -> None:
        self.check(members)

    @cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(name for name, field in self.load_fields.items() if field.required)

    @cached_property
    def _readers(self) -> dict[str, Callable[[object], Any]]:
        return {
            name: field.read
            for name, field in self.load_fields.items()
            if isinstance(field, Value | Section | Sections)
        }


class Section(fields.Nested):
    """A part inside a part."""

    def __init__(self, part: type[Part], *, required: bool = True) -> None:
        super().__init__(part, required=required, error_messages=_ABSENT)
        self._part = part()

    def read(self, value: object) -> dict[str, Any]:
        return self._part.read(value)


class Sections(fields.List[dict[str, Any]]):
    """A list of parts with a maximum length."""

    def __init__(self, part: type[Part], *, most: int, **about: Unpack[About]) -> None:
        super().__init__(
            Section(part), required=False, metadata={"maxItems": most, **about}, error_messages=_ABSENT
        )
        self._part = part()
        self._most = most

    def read(self, value: object) -> list[dict[str, Any]]:
        return [self._part.read(member) for member in self._bounded(value)]

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, Any] | None, **kwargs: object
    ) -> list[dict[str, Any] | None]:
        return super()._deserialize(self._bounded(value), attr, data, **kwargs)

    def _bounded(self, value: object) -> list[object]:
        if not isinstance(value, list):
            raise ValidationError("type: This must be a list.")
        if len(value) > self._most:
            raise ValidationError(f"too_many: This must have at most {self._most} items.")
        return value


def plain_email(text: str) -> str | None:
    """Return the normal form of a common address, None for any that needs a closer look."""
    match = _PLAIN_EMAIL.fullmatch(text)
    if match is None or max(map(len, match.groups())) > _PLAIN_EMAIL_MOST or match[1].lower() in _MAILBOXES:
        return None
    return f"{match[1]}@{match[2].lower()}"


def any_email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        # The library's own message quotes the address.
        raise ValidationError("format: This is not an email address.") from None


def plain_phone(text: str) -> str | None:
    """Return the E.164 form of a US number in a common notation, None for any that needs a closer look."""
    match = _PLAIN_PHONE.fullmatch(text)
    return "+1" + "".join(match.groups("")) if match else None


def any_phone(text: str) -> str:
    """Accept every number of a possible length: an outdated numbering plan must not cost a lead."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        raise ValidationError("format: This is not a phone number.") from None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValidationError("format: This phone number is too short or too long.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
