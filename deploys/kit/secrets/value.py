"""What a secret's value must satisfy before a service may use it."""

import re
import secrets
from typing import Final

_ENTROPY_BYTES: Final = 32  # 43 characters of token_urlsafe; beyond guessing
_STAND_IN: Final = re.compile(
    r"<.*>|\$\{.*\}|\{\{.*\}\}"
    r"|(?:change|replace|fill)[ _-]?(?:me|this|it|in)(?![a-z0-9]).*"
    r"|(?:todo|tbd|fixme|placeholder|example|dummy|sample|secret|password|x{3,})(?![a-z0-9]).*",
    re.IGNORECASE | re.DOTALL,
)
# A short piece repeated, which is also how a placeholder is stretched to the required length.
_REPETITION: Final = re.compile(r"(.{1,12}?)\1+", re.DOTALL)


def fault(value: str, minimum_length: int) -> str:
    """What is wrong with a value, without quoting it; empty if it is usable."""
    if not value:
        return "is empty"
    if not value.isprintable():
        return "contains a line break or another unprintable character"
    if _STAND_IN.fullmatch(value) or _REPETITION.fullmatch(value):
        return "is a placeholder"
    if len(value) < minimum_length:
        return f"has {len(value)} characters; the minimum is {minimum_length}"
    return ""


def text(content: bytes) -> str | None:
    """Decodes bytes from outside; None if they are not UTF-8.

    Raises nothing, because the decoder's error would contain the whole value.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def generate(minimum_length: int) -> str:
    """A random value of letters, digits, hyphens and underscores."""
    while True:
        value = secrets.token_urlsafe(max(_ENTROPY_BYTES, minimum_length))
        if not fault(value, minimum_length):  # one in a million starts like a placeholder
            return value
