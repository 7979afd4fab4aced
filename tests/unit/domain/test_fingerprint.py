"""The fingerprint: the same for the same document however it is written, another for any other."""

import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from leadgen.domain.fingerprint import FINGERPRINT_VERSION, canonical_json, fingerprint, matches

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reversed_keys(document: object) -> object:
    if isinstance(document, dict):
        return {key: reversed_keys(document[key]) for key in reversed(list(document))}
    if isinstance(document, list):
        return [reversed_keys(member) for member in document]
    return document


@given(DOCUMENTS, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_order_of_keys_white_space_and_escapes_do_not_change_it(
    document: object,
    indent: int | str | None,
    ascii_only: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    text = json.dumps(reversed_keys(document), indent=indent, ensure_ascii=ascii_only)
    assert canonical_json(json.loads(text)) == canonical_json(document)


@given(DOCUMENTS)
def test_the_canonical_text_is_the_document(document: object) -> None:
    assert json.loads(canonical_json(document)) == document


@given(DOCUMENTS, DOCUMENTS)
def test_different_texts_have_different_fingerprints(one: object, other: object) -> None:
    texts = canonical_json(one), canonical_json(other)
    assert (fingerprint(texts[0]) == fingerprint(texts[1])) == (texts[0] == texts[1])


def test_the_order_of_a_list_matters() -> None:
    assert canonical_json([1, 2]) != canonical_json([2, 1])


def test_version_1_is_sha_256_of_the_sorted_compact_text_in_utf_8() -> None:
    assert FINGERPRINT_VERSION == 1
    assert canonical_json({"b": "ñ", "a": [1, 2.5, None]}) == '{"a":[1,2.5,null],"b":"ñ"}'
    assert fingerprint('{"b":"ñ"}') == sha256('{"b":"ñ"}'.encode()).digest()


def test_a_stored_fingerprint_matches_its_own_document_only() -> None:
    stored = fingerprint(canonical_json({"a": 1}))
    assert matches('{"a":1}', stored, 1)
    assert not matches('{"a":2}', stored, 1)
