"""Phone numbers as people write them, read into E.164; a number without a leading + is a US number."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberMatcher

from leadgen.domain.plain_text import visible

_MOST_TEXT: Final = 250  # of a text that contains a number, as phonenumbers bounds it: reading is never slow
_MOST_NUMBERS: Final = 5
_NORTH_AMERICA: Final = 1
_US_NUMBER: Final = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")  # area code and exchange begin with 2 to 9
_DIGIT_BEFORE: Final = re.compile(r"[0-9][ ().-]*$")
_NATIONAL_DIGITS: Final = range(5, 15)  # E.164 has at most 15, with the country's

# A fast path for common numbers, because the library takes 50 to 70 microseconds for each. A test checks that both
# ways give the same results.
_PLAIN: Final = re.compile(
    r"(?:\+?1[ .-]?)?(?:\(([2-9]\d\d)\)|([2-9]\d\d))[ .-]?([2-9]\d\d)[ .-]?(\d{4})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """What a text says. `more`: it had several numbers, of which this is the first."""

    e164: str
    extension: str | None = None
    more: bool = False


def read(text: str) -> PhoneReading | None:
    """Return the first number in a text, None if it has none that can be called from Texas."""
    if plain := plain_phone(text):
        return PhoneReading(plain)
    return any_phone(text)


def plain_phone(text: str) -> str | None:
    """Return the E.164 form of a US number in a common notation, None for any that needs a closer look."""
    match = _PLAIN.fullmatch(text)
    return "+1" + "".join(match.groups("")) if match else None


def any_phone(text: str) -> PhoneReading | None:
    numbers = _numbers(text)
    if not numbers:
        return None
    first = numbers[0]
    return PhoneReading(_e164(first), first.extension or None, more=len({_e164(number) for number in numbers}) > 1)


def read_all(text: str) -> list[str]:
    """Return every number in a text, in its order and in E.164."""
    return [_e164(number) for number in _numbers(text)]


def _numbers(text: str) -> list[PhoneNumber]:
    text = visible(re.sub(r"\s", " ", unicodedata.normalize("NFKC", text[:_MOST_TEXT]))).strip()
    text = re.sub(r"^00(?=[1-9])", "+", text)  # how most of the world begins an international number
    return _parsed(text) or _matched(text)


def _parsed(text: str) -> list[PhoneNumber]:
    """The whole text as one number.

    The parser ignores words and a second number behind it, so a text with either goes to the matcher.
    """
    if re.search(r"[^\W\d_]{4,}|[/|&;]|\b(?:or|o|and|y)\b", text, re.IGNORECASE):
        return []
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return []
    return [number] if _can_be_called(number) else []


def _matched(text: str) -> list[PhoneNumber]:
    """Every number that the library finds, unless digits before it belong to it: 8 (912) 345-67-89 is Russian."""
    found, end = [], 0
    for match in PhoneNumberMatcher(text, "US", leniency=phonenumbers.Leniency.POSSIBLE, max_tries=_MOST_NUMBERS):
        if _can_be_called(match.number) and not _DIGIT_BEFORE.search(text[end : match.start]):
            found.append(match.number)
        end = match.end
    return found


def _can_be_called(number: PhoneNumber) -> bool:
    """Not what the library calls possible: its plans are older than some numbers, and newer than others."""
    national = phonenumbers.national_significant_number(number)
    if number.country_code == _NORTH_AMERICA:
        return bool(_US_NUMBER.fullmatch(national))
    return len(national) in _NATIONAL_DIGITS and bool(national.strip("0"))


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
