"""Strict JSON: an accepted document has exactly one meaning and can be stored in a jsonb column."""

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any, Final, NoReturn

from leadgen.domain.plain_text import storable

MOST_LEVELS: Final = 32

_LARGEST_INTEGER: Final = 2**63 - 1
_LONGEST_INTEGER: Final = len(str(-_LARGEST_INTEGER))
_BRACKETS_AND_QUOTES: Final = re.compile(rb'\\.|["{}\[\]]', re.DOTALL)


class NotStrictJson(ValueError):
    """The fault of a body, as a sentence for the client that quotes nothing from it."""


def parse_object(text: bytes) -> dict[str, Any]:
    """Read one JSON object in UTF-8, with or without a byte order mark. Raises NotStrictJson.

    U+FFFD replaces what cannot be stored: NUL, and the halves of cut emoji.
    """
    if text.count(b"{") + text.count(b"[") > MOST_LEVELS and _levels(text) > MOST_LEVELS:
        raise NotStrictJson(f"The body is nested more than {MOST_LEVELS} levels deep.")
    document = _decode(text)
    if not isinstance(document, dict):
        raise NotStrictJson("The body is JSON, but not an object.")
    # Only an escape can produce these: UTF-8 and JSON itself reject raw ones.
    return _storable(document) if b"\\u" in text else document


def _decode(text: bytes) -> object:
    try:
        return _decoder.decode(text.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"The body is not UTF-8: byte {error.start + 1} is not valid.") from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise NotStrictJson("The body is empty.") from None
        raise NotStrictJson(f"The body is not JSON: see line {error.lineno}, column {error.colno}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJson("An object in the body has a duplicate key.")
    return members


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotStrictJson("A number in the body is too large.")
    return number


def _int(text: str) -> int:
    # Check the length first: parsing 60,000 digits is slow, and Python itself refuses them.
    if len(text) > _LONGEST_INTEGER or abs(number := int(text)) > _LARGEST_INTEGER:
        raise NotStrictJson("A number in the body does not fit in 64 bits.")
    return number


def _constant(_name: str) -> NoReturn:
    raise NotStrictJson("The body contains NaN or Infinity, which are not JSON.")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
)


def _levels(text: bytes) -> int:
    """Return the nesting depth of the brackets, in one pass and without recursion."""
    level = deepest = 0
    quoted = False
    for token in _BRACKETS_AND_QUOTES.findall(text):
        if token == b'"':
            quoted = not quoted
        elif not quoted and token in b"{[":
            level += 1
            deepest = max(deepest, level)
        elif not quoted and token in b"}]":
            level -= 1
    return deepest


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return _object([(storable(name), _storable(member)) for name, member in value.items()])
    if isinstance(value, list):
        return [_storable(member) for member in value]
    return value
