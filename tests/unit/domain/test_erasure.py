"""Keyed digests of erased persons, and tombstones as lines of JSON."""

import hashlib
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from leadgen.domain.erasure import ErasureKey, Identity, NotATombstone, Tombstone

ANN = Identity("email", "ann@example.com")
KEY = ErasureKey(bytes(range(32)))
STONE = Tombstone(
    erasure_id=UUID(int=7),
    kind="email",
    digest=KEY.digest(ANN),
    key_id=KEY.key_id,
    erased_at=datetime(2026, 5, 1, 10, tzinfo=UTC),
    counts={"intakes": 1},
)


def hmac_sha256(key: bytes, text: bytes) -> str:
    """HMAC as RFC 2104 writes it, for a key of at most 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()


def test_a_digest_is_the_hmac_of_kind_and_value() -> None:
    assert KEY.digest(ANN).hex() == hmac_sha256(KEY.secret, b"email:ann@example.com")


def test_a_digest_stays_the_same_for_good() -> None:
    """Tombstones of years ago must still match: neither the text nor its digest may ever change."""
    assert KEY.digest(ANN).hex() == "e7daf7bee89bb0edc215c52e66f322f44c6a4aaa60cf37c1dece6def8f7a77ef"
    assert KEY.key_id == "7933c7ab4e8907f2"


@pytest.mark.parametrize(
    ("key", "identity"),
    [
        (ErasureKey(bytes(range(1, 33))), ANN),
        (KEY, Identity("email", "Ann@example.com")),
        (KEY, Identity("phone", "ann@example.com")),
        (KEY, Identity("email", "ann@example.co")),
    ],
)
def test_another_key_or_value_has_another_digest(key: ErasureKey, identity: Identity) -> None:
    assert key.digest(identity) != KEY.digest(ANN)


def test_the_keys_id_tells_keys_apart_and_the_key_is_never_printed() -> None:
    assert ErasureKey(b"k" * 32).key_id != ErasureKey(b"l" * 32).key_id
    assert "kkk" not in repr(ErasureKey(b"k" * 32))


@pytest.mark.parametrize(
    ("identity", "text", "named"),
    [
        (ANN, "form-Ann@Example.com-7", True),
        (ANN, "form-an@example.com", False),
        (Identity("phone", "+15125550100"), "1-512-555-0100", True),
        (Identity("phone", "+15125550100"), "(512) 555 0100", True),
        (Identity("phone", "+15125550100"), "512-555-010", False),
    ],
)
def test_a_text_that_names_a_person_is_known(identity: Identity, text: str, *, named: bool) -> None:
    assert identity.is_in(text) is named


def test_a_tombstone_is_read_as_it_was_written() -> None:
    assert Tombstone.from_line(STONE.to_line()) == STONE
    assert "\n" not in STONE.to_line()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"erasure_id": "x"}, "not a tombstone in JSON"),
        ({"erasure_id": 7}, "erasure_id has another form"),
        ({"kind": "name"}, "kind has another form"),
        ({"digest": "ab"}, "digest has another form"),
        ({"digest": "A" * 64}, "digest has another form"),
        ({"key_id": ""}, "key_id has another form"),
        ({"erased_at": "yesterday"}, "not a tombstone in JSON"),
        ({"erased_at": "2026-05-01T10:00:00"}, "without a time zone"),
        ({"counts": ["Ann"]}, "not numbers of rows"),
        ({"counts": {"leads": "1"}}, "not numbers of rows"),
        ({"counts": {"Ann": 1}}, "not numbers of rows"),
        ({"counts": {"intakes": True}}, "not numbers of rows"),
        ({"more": 1}, "members of a tombstone"),
    ],
)
def test_another_line_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(NotATombstone, match=said):
        Tombstone.from_line(json.dumps(json.loads(STONE.to_line()) | change))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "not a tombstone in JSON"),
        ("{", "not a tombstone in JSON"),
        ("[]", "members"),
        ("{}", "members"),
        ("7", "members"),
    ],
)
def test_what_is_no_tombstone_is_refused(line: str, said: str) -> None:
    with pytest.raises(NotATombstone, match=said):
        Tombstone.from_line(line)
