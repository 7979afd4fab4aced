"""Intake ids: UUID version 7, in the order in which they are made."""

import time
from datetime import UTC, datetime
from uuid import RFC_4122

from leadgen.domain.intake_id import uuid7


def test_it_is_a_version_7_uuid_of_the_rfc_variant() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, RFC_4122)


def test_its_first_48_bits_are_milliseconds_since_1970() -> None:
    before = time.time_ns() // 1_000_000
    stamp = uuid7().int >> 80
    assert before <= stamp <= time.time_ns() // 1_000_000
    assert datetime.fromtimestamp(stamp / 1000, UTC).year >= 2026


def test_its_12_bits_of_fraction_keep_the_order_within_a_millisecond() -> None:
    made = []
    for _ in range(200):
        made.append(uuid7())
        # A step of the fraction is a quarter of a microsecond.
        wait_until = time.time_ns() + 1_000
        while time.time_ns() < wait_until:
            pass
    assert made == sorted(made)


def test_ids_made_at_the_same_moment_differ() -> None:
    assert len({uuid7() for _ in range(20_000)}) == 20_000
