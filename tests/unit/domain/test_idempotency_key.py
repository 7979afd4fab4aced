"""The Idempotency-Key header: which keys there are, and which spellings are one key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgen.domain.idempotency_key import parse

VISIBLE = "".join(map(chr, range(0x21, 0x7F))).translate({ord('"'): None, ord(","): None})


@given(st.text(VISIBLE, min_size=1, max_size=255))
def test_bare_and_quoted_are_one_key(key: str) -> None:
    assert parse(key) == parse(f'"{key}"') == parse(f' "{key}"\t') == key


@pytest.mark.parametrize(
    "header", ["", '""', '"', '"abc', 'abc"', 'a"b', '""abc""', "two words", "a" * 256, "ñ", "a\0", "٣"]
)
def test_anything_else_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="is not 1 to 255 visible ASCII characters"):
        parse(header)


@given(st.text())
def test_what_is_accepted_is_always_1_to_255_visible_ascii(header: str) -> None:
    try:
        key = parse(header)
    except ValueError:
        return
    assert 1 <= len(key) <= 255
    assert set(key) <= set(VISIBLE)
