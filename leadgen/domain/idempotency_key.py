"""The Idempotency-Key header: 1 to 255 visible ASCII characters without a comma, bare or in quotes.

A comma is what servers put between two lines of the same header: a key with one would be two keys read as a third.
"""

import re
from typing import Final

_VISIBLE: Final = re.compile(r"[!-+\--~]{1,255}")


def parse(header: str) -> str:
    """Return the key without its quotes, so that `abc` and `"abc"` are one key; ValueError otherwise."""
    text = header.strip(" \t")
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    key = text[1:-1] if quoted else text
    if not _VISIBLE.fullmatch(key) or '"' in key:
        raise ValueError(
            "is not 1 to 255 visible ASCII characters without a comma, bare or in one pair of double quotes; send"
            " the header once"
        )
    return key
