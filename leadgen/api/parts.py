"""The objects of a submission, which contain fields and each other: to read one is to read all of it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, Unpack, cast

from marshmallow import Schema, fields

from leadgen.api.fields import About, Value
from leadgen.api.notes import Notes, pointer_to

_REQUIRED: Final = ("required", "This field is required.")


class Part(Schema):
    """An object in a submission."""

    rule: ClassVar[Mapping[str, object]] = {}  # of what `check` asks, for OpenAPI
    cut: ClassVar[str | None] = None  # the flag for a member that is null or unknown, where there is one

    def read(self, value: dict[str, Any], at: str, notes: Notes) -> dict[str, Any]:
        """Return what the members mean, without those that mean nothing; `at` points to this object."""
        members = {}
        readers = self._readers
        for name, given in value.items():
            field = readers.get(name)
            if field is None:
                notes.unknown(at + pointer_to(name))
            elif given is not None:
                if (found := field.read(given, at, notes)) is not None:
                    members[name] = found
                continue
            if self.cut:
                notes.flags.add(self.cut)
        if not self._required <= members.keys():
            self._note_missing(value, at, notes)
        self.check(members, at, notes)
        return members

    def check(self, members: dict[str, Any], at: str, notes: Notes) -> None:
        """Note what is wrong with members that are valid on their own and do not fit together."""

    def _note_missing(self, value: dict[str, Any], at: str, notes: Notes) -> None:
        for name in sorted(self._required):
            if value.get(name) is None:
                notes.fault(at + pointer_to(name), *_REQUIRED)

    @cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(name for name, field in self.load_fields.items() if field.required)

    @cached_property
    def _readers(self) -> dict[str, "Value[Any] | Section | Sections"]:
        return cast("dict[str, Value[Any] | Section | Sections]", dict(self.load_fields))


class Section(fields.Nested):
    """A part inside a part."""

    def __init__(self, part: type[Part], *, required: bool = False) -> None:
        super().__init__(part, required=required)
        self._part = part()

    def read(self, value: object, at: str, notes: Notes) -> dict[str, Any] | None:
        here = f"{at}/{self.name}"
        if isinstance(value, dict):
            return self._part.read(value, here, notes)
        if self.required:
            notes.fault(here, "type", "This must be an object.")
        else:
            notes.slip(self._part.cut or f"{self.name}_unreadable", here, "type", "This must be an object.")
        return None


class Sections(fields.List[dict[str, Any]]):
    """A list of parts. One with a fault is left out: it is evidence, whole or not at all."""

    def __init__(self, part: type[Part], *, most: int, **about: Unpack[About]) -> None:
        super().__init__(Section(part), metadata={"maxItems": most, **about})
        self._part = part()
        self._most = most

    def read(self, value: object, at: str, notes: Notes) -> list[dict[str, Any]] | None:
        flag, here = f"{self.name}_unreadable", f"{at}/{self.name}"
        if not isinstance(value, list):
            notes.slip(flag, here, "type", "This must be a list.")
            return None
        if len(value) > self._most:
            notes.slip(flag, here, "too_many", f"This must have at most {self._most} items.")
        kept = []
        for position, member in enumerate(value[: self._most]):
            if not isinstance(member, dict):
                notes.slip(flag, f"{here}/{position}", "type", "This must be an object.")
                continue
            apart = Notes(strict=notes.strict)
            found = self._part.read(member, f"{here}/{position}", apart)
            for fault in apart.faults:
                notes.slip(flag, fault["pointer"], fault["code"], fault["detail"])
            notes.take(apart)
            if not apart.faults:
                kept.append(found)
        return kept or None
