"""E-mail addresses as people write them, read into their normal form without a DNS lookup."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

from leadgen.domain.plain_text import visible

MOST: Final = 254  # characters of an address (RFC 5321)
_MOST_TEXT: Final = 1_000  # of a text that contains one: reading is never slow

# A fast path for common addresses, because the library takes 50 to 70 microseconds for each. A test checks that
# both ways give the same results.
_PLAIN: Final = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@"
    r"((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+(?i:com|net|org|edu|gov|us|io))"
)
_PLAIN_MOST: Final = 63  # of either side: the maximum length of a domain label
# Mailboxes such as info@ and sales@ are case-insensitive; other mailboxes may not be.
_MAILBOXES: Final = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)
_MAILTO: Final = re.compile(r"mailto:", re.IGNORECASE)
_AROUND: Final = " .,;:'\"()<>[]"
_DOTS: Final = re.compile(r"\.{2,}")


@dataclass(frozen=True, slots=True)
class EmailReading:
    """What a text says.

    `unusual`: a person should look at it: the standard does not allow it, or other words were beside it.
    `more`: the text had several addresses, of which this is the first.
    """

    address: str
    unusual: bool = False
    more: bool = False


def read(text: str) -> EmailReading | None:
    """Return the first address in a text, None if it has none."""
    found, others = _found(text)
    if not found:
        return None
    distinct = {reading.address.casefold() for reading in found}
    return EmailReading(found[0].address, unusual=found[0].unusual or others, more=len(distinct) > 1)


def read_all(text: str) -> list[str]:
    """Return every address in a text, in its order."""
    return [reading.address for reading in _found(text)[0]]


def _found(text: str) -> tuple[list[EmailReading], bool]:
    """The addresses in a text; also whether it has other words."""
    if plain := plain_email(text):
        return [EmailReading(plain)], False
    # NFKC turns a full-width @ and dot into plain ones; what is invisible was pasted along. White space
    # stays: without the line break between them two words would be one.
    text = visible(re.sub(r"\s", " ", unicodedata.normalize("NFKC", text[:_MOST_TEXT]))).strip()
    if whole := any_email(text):
        return [EmailReading(whole)], False
    words, others = _candidates(text)
    # Quotes and dots are around an address rather than in it, unless only they make it one.
    return [reading for word in words if (reading := _one(word.strip(_AROUND)) or _one(word))], others


def plain_email(text: str) -> str | None:
    """Return the normal form of a common address, None for any that needs a closer look."""
    match = _PLAIN.fullmatch(text)
    if match is None or max(map(len, match.groups())) > _PLAIN_MOST or match[1].lower() in _MAILBOXES:
        return None
    return f"{match[1]}@{match[2].lower()}"


def any_email(text: str) -> str | None:
    """Return the normal form of one address, None if it is not valid."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def _candidates(text: str) -> tuple[list[str], bool]:
    """Return the parts of a text that may be an address: what is in angle brackets, or every word with an @.

    Also whether there are other words, which may be half of a mistyped address.
    """
    text = re.sub(r"\s*@\s*", "@", _MAILTO.sub(" ", text))
    bracketed = re.findall(r"<([^<>]*@[^<>]*)>", text)
    words = bracketed or [part for word in re.split(r"[\s,;]+", text) for part in _apart(word)]
    return [word for word in words if "@" in word], not bracketed and any(
        "@" not in word for word in words if word.strip(_AROUND)
    )


def _apart(word: str) -> list[str]:
    """A slash or a bar is in an address, or between two."""
    return [word] if any_email(word.strip(_AROUND)) or any_email(word) else re.split("[/|]+", word)


def _one(word: str) -> EmailReading | None:
    if address := any_email(word):
        return EmailReading(address)
    # Japanese phone companies gave out local parts that end in a dot or have several in a row.
    local, _, domain = word.rpartition("@")
    regular = any_email(f"{_DOTS.sub('.', local).strip('.')}@{domain}")
    if regular is None or len(word) > MOST:
        return None
    return EmailReading(f"{local}@{regular.rpartition('@')[2]}", unusual=True)
