"""The types of the fields of a submission: each keeps what it can use and notes what it cannot.

marshmallow declares the fields, and apispec shows them. Reading is ours: one pass yields values, faults and flags
(docs/why.md). docs/leadgen/README.md has the table of what is read how. No detail ever repeats a value.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Protocol, TypedDict, TypeVar, Unpack

from marshmallow import fields

from leadgen.api import email_address, phone_number
from leadgen.api.email_address import EmailReading
from leadgen.api.notes import Notes, pointer_to
from leadgen.api.phone_number import PhoneReading
from leadgen.domain import plain_text, us_states

_YEARS: Final = range(2, 9999)  # the first and the last may be another year in UTC, which Python cannot read
LOCAL_ZONE: Final = "America/Chicago"  # where the company works

_T = TypeVar("_T")

_WORD_BREAKS: Final = re.compile(r"[\s_-]+")


class About(TypedDict, total=False):
    """What OpenAPI shows for a field besides its rule."""

    description: str
    examples: list[object]


class _Named(Protocol):
    name: str | None


class Value(fields.Field[_T]):
    """A field whose whole rule is `read`. `flag` is noted when the value is of no use."""

    def __init__(
        self, rule: Mapping[str, object], about: About, *, required: bool = False, flag: str | None = None
    ) -> None:
        super().__init__(required=required, metadata={**rule, **about})
        self._flag = flag

    def read(self, value: object, at: str, notes: Notes) -> _T | None:
        """Return what the value means, None if it means nothing; `at` points to the object that it is in."""
        raise NotImplementedError

    def text_of(self, value: object, at: str, notes: Notes) -> str | None:
        """The value if it is text; also a number where text belongs, unless programs are held to the schema."""
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and not notes.strict:
            return str(value)
        self.slip(notes, at, "type", "This must be a string.")
        return None

    @property
    def flag(self) -> str:
        return self._flag or f"{self.name}_unreadable"

    def slip(self, notes: Notes, at: str, code: str, detail: str) -> None:
        """The program sent what does not belong here; a required value is a fault in either mode."""
        if self.required:
            notes.fault(at + pointer_to(name_of(self)), code, detail)
        else:
            notes.slip(self.flag, at + pointer_to(name_of(self)), code, detail)


class Words(Value[str]):
    """Text that people write: cleaned, and cut where it is longer than its column."""

    def __init__(
        self,
        *,
        most: int,
        keep_lines: bool = False,
        whole: bool = False,
        required: bool = False,
        flag: str | None = None,
        **about: Unpack[About],
    ) -> None:
        """`whole`: evidence, which is not cut."""
        cut = f"More than {most:,} characters are cut in the lead; the submission keeps them all."
        if whole:
            cut = f"At most {most:,} characters."
        about = {**about, "description": f"{about.get('description', '')} {cut}".strip()}
        rule = {"type": "string", "minLength": 1} if required else {"type": "string"}
        super().__init__(rule, about, required=required, flag=flag)
        self._most = most
        self._keep_lines = keep_lines
        self._whole = whole

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        given = self.text_of(value, at, notes)
        if given is None:
            return None
        text, removed = plain_text.clean(given, keep_lines=self._keep_lines)
        if removed:
            notes.flags.add("characters_removed")
        if "\ufffd" in text:
            notes.flags.add("characters_replaced")
        if len(text) > self._most and self._whole:
            self.slip(notes, at, "too_long", f"This must have at most {self._most:,} characters.")
            return None
        if len(text) > self._most:
            notes.flags.add(self._flag or f"{self.name}_cut")
            text = text[: self._most].rstrip()
        if not text and self.required:
            notes.fault(at + pointer_to(name_of(self)), "blank", "This must not be blank.")
        return text or None


class Choice(Value[str]):
    """One of a few words, in any case, with hyphens or spaces for underscores."""

    def __init__(self, *allowed: str, required: bool = False, **about: Unpack[About]) -> None:
        super().__init__({"type": "string", "enum": list(allowed)}, about, required=required)
        self._allowed = {allowed_word: allowed_word for allowed_word in allowed}
        self._wants = f"This must be one of: {', '.join(allowed)}."

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        if isinstance(value, str) and (found := self._allowed.get(value) or self._allowed.get(as_word(value))):
            return found
        self.slip(notes, at, "choice", self._wants)
        return None


class State(Value[str]):
    """A US state, by its code or its name."""

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string", "enum": sorted(us_states.NAMES)}, about, required=True)

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        if isinstance(value, str):
            if value in us_states.NAMES:
                return value
            if found := us_states.code_of(plain_text.clean(value)[0]):
                return found
        self.slip(notes, at, "choice", "This must be a US state, as its two-letter code.")
        return None


class Email(Value[EmailReading]):
    """An email address."""

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string", "format": "email"}, about, flag="email_unreadable")

    def read(self, value: object, at: str, notes: Notes) -> EmailReading | None:
        given = self.text_of(value, at, notes)
        if given is None:
            return None
        found = email_address.read(given)
        if found is None:
            notes.flags.add(self.flag)
        elif found.unusual or found.more:
            notes.flags |= {
                flag for flag, on in (("email_unusual", found.unusual), ("more_than_one_email", found.more)) if on
            }
        return found


class Phone(Value[PhoneReading]):
    """A phone number; a US number unless it starts with +."""

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string"}, about, flag="phone_unreadable")

    def read(self, value: object, at: str, notes: Notes) -> PhoneReading | None:
        given = self.text_of(value, at, notes)
        if given is None:
            return None
        found = phone_number.read(given)
        if found is None:
            notes.flags.add(self.flag)
        elif found.more:
            notes.flags.add("more_than_one_phone")
        return found


class Zip(Value[str]):
    """A ZIP code. Any other text is kept as it is: a person can read it."""

    _SHAPE: ClassVar = re.compile(r"([0-9]{5})(?:[ -]*([0-9]{4}))?")
    _MOST: ClassVar = 20

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string"}, about)

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        given = self.text_of(value, at, notes)
        if given is None:
            return None
        text = plain_text.clean(given)[0]
        if match := self._SHAPE.fullmatch(text):
            return f"{match[1]}-{match[2]}" if match[2] else match[1]
        notes.flags.add(self.flag)
        return text[: self._MOST] or None


class Moment(Value[str]):
    """A local date or time, or one with a UTC offset; kept as text, whatever it says."""

    _MOST: ClassVar = 40

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string"}, about)

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        given = self.text_of(value, at, notes)
        if given is None:
            return None
        text = plain_text.clean(given)[0][: self._MOST]
        if instant_of(text) is None:
            notes.flags.add(self.flag)
        return text or None


class Instant(Value[str]):
    """An RFC 3339 time with its UTC offset, to any fraction of a second."""

    _SHAPE: ClassVar = re.compile(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?"
        r"([Zz]|[+-](?:0[0-9]|1[0-5]):?[0-5][0-9])"  # PostgreSQL takes offsets below 16 hours
    )

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string", "format": "date-time"}, about, required=True)

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        match = self._SHAPE.fullmatch(value) if isinstance(value, str) else None
        if match:
            day, clock, fraction, offset = match.groups()
            text = f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{'+00:00' if offset in 'Zz' else offset}"
            try:
                return datetime.fromisoformat(text).astimezone(UTC).isoformat()
            except (ValueError, OverflowError):
                pass
        self.slip(notes, at, "time", "This must be a time with a UTC offset, like 2026-01-28T15:04:05-06:00.")
        return None


class Count(Value[int]):
    """A whole number, at least 1; digits in a string are one, too."""

    def __init__(self, *, most: int, **about: Unpack[About]) -> None:
        super().__init__({"type": "integer", "minimum": 1, "maximum": most}, about)
        self._most = most

    def read(self, value: object, at: str, notes: Notes) -> int | None:
        number = value
        if (isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value, re.ASCII)) or (
            isinstance(value, float) and value.is_integer()
        ):
            number = int(value)
        if not isinstance(number, int) or isinstance(number, bool):
            self.slip(notes, at, "type", "This must be a whole number.")
            return None
        if not 1 <= number <= self._most:
            self.slip(notes, at, "range", f"This must be from 1 to {self._most:,}.")
            return None
        return number


class Flag(Value[bool]):
    """True or false, without coercion."""

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "boolean"}, about, required=True)

    def read(self, value: object, at: str, notes: Notes) -> bool | None:
        if not isinstance(value, bool):
            self.slip(notes, at, "type", "This must be true or false.")
            return None
        return value


class Digest(Value[str]):
    """A SHA-256 digest in hex digits."""

    def __init__(self, **about: Unpack[About]) -> None:
        super().__init__({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}, about, required=True)

    def read(self, value: object, at: str, notes: Notes) -> str | None:
        if isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", value):
            return value.lower()
        self.slip(notes, at, "digest", "This must be a SHA-256 digest of 64 hex digits.")
        return None


class Answers(Value[dict[str, Any]]):
    """The further fields of a page's form, as given: text, numbers, booleans, or lists of text."""

    def __init__(self, *, most: int, longest: int, **about: Unpack[About]) -> None:
        scalar = [{"type": kind} for kind in ("string", "number", "boolean")]
        texts = {"type": "array", "items": {"type": "string"}}
        rule = {"type": "object", "maxProperties": most, "additionalProperties": {"anyOf": [*scalar, texts]}}
        super().__init__(rule, about, flag="form_cut")
        self._most = most
        self._longest = longest

    def read(self, value: object, at: str, notes: Notes) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self.slip(notes, at, "type", "This must be an object.")
            return None
        here = at + pointer_to(name_of(self))
        if len(value) > self._most:
            notes.slip(self.flag, here, "too_many", f"This must have at most {self._most} members.")
        kept = {}
        for name, answer in list(value.items())[: self._most]:
            if answer is None:
                continue
            if not self._fits(answer):
                notes.slip(
                    self.flag, here + pointer_to(name), "type", "This must be text, a number, a boolean or texts."
                )
                continue
            if len(name) > self._longest:
                notes.flags.add(self.flag)
            kept[name[: self._longest]] = self._cut(answer, notes)
        return kept or None

    def _fits(self, answer: object) -> bool:
        if isinstance(answer, list):
            return all(isinstance(text, str) for text in answer)
        return isinstance(answer, str | int | float)

    def _cut(self, answer: str | float | list[str], notes: Notes) -> str | float | list[str]:
        if not isinstance(answer, str | list):
            return answer
        size = len(answer) if isinstance(answer, str) else sum(map(len, answer))
        if size <= self._longest:
            return answer
        notes.flags.add(self.flag)
        return (answer if isinstance(answer, str) else "\n".join(answer))[: self._longest]


def as_word(text: str) -> str:
    """A text as the words of a choice are written: `Event Security` is event_security."""
    return _WORD_BREAKS.sub("_", plain_text.clean(text)[0].lower())


def instant_of(text: str) -> str | None:
    """A date or a time as PostgreSQL reads it, local to the company unless it has an offset; None for others."""
    try:
        moment = datetime.fromisoformat(text)
        if not _YEARS.start <= moment.year < _YEARS.stop:
            return None
        if moment.tzinfo is None:
            return f"{moment.isoformat()} {LOCAL_ZONE}"
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def name_of(field: _Named) -> str:
    return field.name or ""
