"""The Idempotency-Key header: 1 to 255 visible ASCII characters, bare or in quotes."""

import re
from typing import Final

_VISIBLE: Final = re.compile(r"[!-~]{1,255}")


def parse(header: str) -> str:
    """Return the key without its quotes, so that `abc` and `"abc"` are one key; ValueError otherwise."""
    text = header.strip(" \t")
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    key = text[1:-1] if quoted else text
    if not _VISIBLE.fullmatch(key) or '"' in key:
        raise ValueError("is not 1 to 255 visible ASCII characters, bare or in one pair of double quotes")
    return key
