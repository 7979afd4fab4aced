"""The canonical text of a JSON document, and the fingerprint that tells a replay from a different payload."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

# Increase it with every change to the text below: fingerprints are only compared within one version.
FINGERPRINT_VERSION: Final = 1

_encode: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def canonical_json(document: object) -> str:
    """Return the same text for all documents that differ only in key order and white space."""
    return _encode(document)


def fingerprint(canonical: str) -> bytes:
    return sha256(canonical.encode()).digest()


def matches(canonical: str, stored: bytes, version: int) -> bool:
    """Whether a stored fingerprint of that version belongs to this document."""
    return _BY_VERSION[version](canonical) == stored


# Old versions stay forever: rows use them, and an honest replay must never look like a different payload.
_BY_VERSION: Final[Mapping[int, Callable[[str], bytes]]] = {FINGERPRINT_VERSION: fingerprint}
