"""Erasures: who was erased, known only by digests whose key is not in the database."""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

LEAST_KEY_BYTES: Final = 32
KINDS: Final = ("email", "phone")
COUNTED: Final = frozenset({"intakes", "queued", "dead", "leads", "consents"})  # as app.erase_person names them

_NATIONAL_DIGITS: Final = 10  # of a US number, without the country's
_ANY: Final = re.compile(".*")
_KEY_ID: Final = re.compile("[0-9a-f]{16}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class NotATombstone(ValueError):
    """A line that is none; the message says why."""


class Identity(NamedTuple):
    """What a person is known by: an email address or a phone number, in the form in which they are compared."""

    kind: str
    value: str

    def is_in(self, text: str) -> bool:
        """Whether a text that should name nobody has it."""
        if self.kind == "phone":
            return self.value[-_NATIONAL_DIGITS:] in re.sub(r"[^0-9]", "", text)
        return self.value in text.casefold()


@dataclass(frozen=True, slots=True)
class ErasureKey:
    """The key of all digests. It is never rotated: what was made under another key matches nothing."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Tells keys apart without giving any away."""
        return hmac.digest(self.secret, b"leadgen erasure key", "sha256").hex()[:16]

    def digest(self, identity: Identity) -> bytes:
        return hmac.digest(self.secret, f"{identity.kind}:{identity.value}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One erased person. What they sent up to `erased_at` must not come back; what they send later may stay."""

    erasure_id: UUID
    kind: str
    digest: bytes
    key_id: str
    erased_at: datetime
    counts: Mapping[str, int]

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps(
            {
                "erasure_id": str(self.erasure_id),
                "kind": self.kind,
                "digest": self.digest.hex(),
                "key_id": self.key_id,
                "erased_at": self.erased_at.isoformat(),
                "counts": dict(self.counts),
            }
        )

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Raises NotATombstone, which quotes nothing of the line."""
        try:
            return cls._of(json.loads(line))
        except NotATombstone:
            raise
        except ValueError:
            raise NotATombstone("it is not a tombstone in JSON") from None

    @classmethod
    def _of(cls, members: object) -> Self:
        if not isinstance(members, dict) or set(members) != {*cls.__slots__}:
            raise NotATombstone("it is not an object with the members of a tombstone")
        return cls(
            erasure_id=UUID(_word(members, "erasure_id")),
            kind=_word(members, "kind", re.compile("|".join(KINDS))),
            digest=bytes.fromhex(_word(members, "digest", _DIGEST)),
            key_id=_word(members, "key_id", _KEY_ID),
            erased_at=_moment(members),
            counts=_counts(members["counts"]),
        )


def _word(members: dict[str, Any], name: str, form: re.Pattern[str] = _ANY) -> str:
    text = members[name]
    if not (isinstance(text, str) and form.fullmatch(text)):
        raise NotATombstone(f"its {name} has another form")
    return text


def _moment(members: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(_word(members, "erased_at"))
    if moment.tzinfo is None:
        raise NotATombstone("its erased_at is without a time zone")
    return moment


def _counts(counts: object) -> dict[str, int]:
    if not isinstance(counts, dict) or any(
        name not in COUNTED or type(count) is not int for name, count in counts.items()
    ):
        raise NotATombstone("its counts are not numbers of rows")
    return counts
