"""Intake ids: UUID version 7 (RFC 9562), so that new rows land at the end of the index."""

import os
import time
from uuid import UUID

_MS = 1_000_000  # nanoseconds


def uuid7() -> UUID:
    """Return a new id: milliseconds since 1970, their fraction in 12 bits, and 62 random bits."""
    milliseconds, rest = divmod(time.time_ns(), _MS)
    fraction = (rest << 12) // _MS  # RFC 9562, method 3: keeps the order within a millisecond
    random = int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)
