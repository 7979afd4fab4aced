"""What a secret's value must be like before a service may trust it."""

import re
import secrets
from typing import Final

_ENTROPY_BYTES: Final = 32  # 43 characters of token_urlsafe; more than anybody can guess
_STAND_IN: Final = re.compile(
    r"<.*>|\$\{.*\}|\{\{.*\}\}"
    r"|(?:change|replace|fill)[ _-]?(?:me|this|it|in)(?![a-z0-9]).*"
    r"|(?:todo|tbd|fixme|placeholder|example|dummy|sample|secret|password|x{3,})(?![a-z0-9]).*",
    re.IGNORECASE | re.DOTALL,
)
# A short piece over and over, which is also how a stand-in is stretched to the wanted length.
_REPETITION: Final = re.compile(r"(.{1,12}?)\1+", re.DOTALL)


def fault(value: str, minimum_length: int) -> str:
    """What is wrong with a value, without a character of it; empty when it may be used."""
    if not value:
        return "is empty"
    if not value.isprintable():
        return "holds a line break or another character that cannot be printed"
    if _STAND_IN.fullmatch(value) or _REPETITION.fullmatch(value):
        return "is a placeholder"
    if len(value) < minimum_length:
        return f"has {len(value)} characters where {minimum_length} are the least"
    return ""


def text(content: bytes) -> str | None:
    """Of bytes from outside; None when they are no UTF-8.

    Raises nothing, because the decoder's error would carry the whole value along.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def generate(minimum_length: int) -> str:
    """A random value of letters, digits, hyphens and underscores."""
    while True:
        value = secrets.token_urlsafe(max(_ENTROPY_BYTES, minimum_length))
        if not fault(value, minimum_length):  # one in a million begins as a placeholder does
            return value
