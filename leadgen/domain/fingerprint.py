"""The canonical text of a JSON document, and the fingerprint that tells a replay from another payload."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

# Raised with every change to the text below, so that a row's fingerprint is only compared with its own kind.
FINGERPRINT_VERSION: Final = 1

_encode: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def canonical_json(document: object) -> str:
    """Return the one text of all documents that differ only in the order of keys and in white space."""
    return _encode(document)


def fingerprint(canonical: str) -> bytes:
    return sha256(canonical.encode()).digest()


def matches(canonical: str, stored: bytes, version: int) -> bool:
    """Whether a stored fingerprint, made by that version, is this document's."""
    return _BY_VERSION[version](canonical) == stored


# Old versions stay for ever: rows carry them, and an honest replay must never look like another payload.
_BY_VERSION: Final[Mapping[int, Callable[[str], bytes]]] = {FINGERPRINT_VERSION: fingerprint}
