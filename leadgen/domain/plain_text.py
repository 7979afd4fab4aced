"""Text as people paste it: normalised, without the characters that nobody means to send."""

import re
import unicodedata
from typing import Final

_LINE_BREAK: Final = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Control characters, and those that make a text read in another order than it is stored.
_UNWANTED: Final = re.compile("[\0-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
# Drawn as nothing, although Unicode does not count them as white space or as format characters.
_DRAWN_AS_NOTHING: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, range(0xFE00, 0xFE10))
)
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def clean(text: str, *, keep_lines: bool = False) -> tuple[str, bool]:
    """Return the text in NFC, trimmed and without unwanted characters; and whether any were removed.

    Every kind of line break is one newline, or one space where lines are not kept. A text of invisible characters
    only is empty.
    """
    if text.isascii() and text.isprintable():
        return text.strip(), False
    text = _LINE_BREAK.sub("\n" if keep_lines else " ", text)
    text, removed = _UNWANTED.subn("", text)
    text = trimmed(unicodedata.normalize("NFC", text if keep_lines else text.replace("\t", " ")))
    return text, bool(removed)


def trimmed(text: str) -> str:
    """The text without invisible characters at either end."""
    start, end = 0, len(text)
    while start < end and is_invisible(text[start]):
        start += 1
    while start < end and is_invisible(text[end - 1]):
        end -= 1
    return text[start:end]


def visible(text: str) -> str:
    """The text without any invisible character other than a plain space."""
    return "".join(character for character in text if character == " " or not is_invisible(character))


def storable(text: str) -> str:
    """The text with U+FFFD for what PostgreSQL's jsonb cannot hold: NUL, and half of a surrogate pair."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _DRAWN_AS_NOTHING
