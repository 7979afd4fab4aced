"""API keys: what a typo costs, what a line of the keys file may say, and who is let in."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgen.domain.api_key import KeyRing, digest_of, key_id_of, mint, without_key
from leadgen.errors import KeyFileError

NOW = datetime(2026, 1, 28, 12, tzinfo=UTC)
INTAKE = frozenset({"intake"})
KEY, LINE = mint("wordpress", INTAKE, None)


def ring(*lines: str) -> KeyRing:
    return KeyRing.load("\n".join(lines))


def test_a_minted_key_is_accepted_for_its_client_and_scopes() -> None:
    client = ring("# our keys", "", LINE).client_for(KEY, NOW)
    assert client is not None
    assert (client.client_id, client.scopes, client.key_id) == ("wordpress", INTAKE, KEY.split("_")[1])


def test_the_line_holds_the_digest_and_nothing_of_the_secret() -> None:
    assert digest_of(KEY).hex() in LINE
    assert KEY.split("_")[2] not in LINE


def test_a_secret_has_at_least_256_random_bits() -> None:
    assert 62 ** len(KEY.split("_")[2]) >= 2**256
    assert len({mint("a", INTAKE, None)[0] for _ in range(100)}) == 100


@given(st.integers(0, len(KEY) - 1), st.sampled_from(string.ascii_letters + string.digits + "_-. é٣\n"))
def test_one_wrong_character_anywhere_is_refused_by_form_or_checksum(place: int, wrong: str) -> None:
    typo = KEY[:place] + wrong + KEY[place + 1 :]
    assert (key_id_of(typo) is None) == (typo != KEY)


@given(st.integers(0, len(KEY) - 2))
def test_two_neighbours_swapped_are_refused(place: int) -> None:
    typo = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
    assert (key_id_of(typo) is None) == (typo != KEY)


@given(st.text())
def test_any_text_is_refused_without_an_error(text: str) -> None:
    assert ring(LINE).client_for(text, NOW) is None


def test_a_key_that_is_well_formed_but_unknown_is_refused() -> None:
    stranger, _ = mint("wordpress", INTAKE, None)
    assert key_id_of(stranger) is not None
    assert ring(LINE).client_for(stranger, NOW) is None


def test_a_known_id_with_another_secret_is_refused() -> None:
    stranger, _ = mint("wordpress", INTAKE, None)
    words = LINE.split()
    stolen_id = " ".join([key_id_of(stranger) or "", *words[1:]])
    assert ring(stolen_id).client_for(stranger, NOW) is None


def test_a_key_is_accepted_until_the_second_it_expires() -> None:
    key, line = mint("wordpress", INTAKE, NOW)
    assert line.endswith(" 2026-01-28T12:00:00Z")
    assert ring(line).client_for(key, NOW - timedelta(seconds=1)) is not None
    assert ring(line).client_for(key, NOW) is None


def test_an_expiry_in_another_zone_is_written_in_utc() -> None:
    _, line = mint("wordpress", INTAKE, datetime.fromisoformat("2026-01-28T12:00:00.5-06:00"))
    assert line.endswith(" 2026-01-28T18:00:00Z")


def test_a_client_may_hold_several_keys_at_once() -> None:
    other, other_line = mint("wordpress", INTAKE, None)
    both = ring(LINE, other_line)
    assert {entry.client.client_id for entry in both} == {"wordpress"}
    assert both.client_for(KEY, NOW) is not None
    assert both.client_for(other, NOW) is not None


ID, CLIENT, SCOPES, DIGEST, EXPIRES = LINE.split()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("mcl_something_pasted_here", "has 1 words instead of 5"),
        (f"{LINE} more", "has 6 words instead of 5"),
        (f"short {CLIENT} {SCOPES} {DIGEST} {EXPIRES}", "does not start with a key id"),
        (f"{ID} Word_Press {SCOPES} {DIGEST} {EXPIRES}", "client name"),
        (f"{ID} {CLIENT} intkae {DIGEST} {EXPIRES}", "scope that is not one of: intake, metrics"),
        (f"{ID} {CLIENT} intake, {DIGEST} {EXPIRES}", "scope that is not one of: intake, metrics"),
        (f"{ID} {CLIENT} {SCOPES} {DIGEST[:-1]} {EXPIRES}", "does not have a SHA-256 digest"),
        (f"{ID} {CLIENT} {SCOPES} {DIGEST.upper()}G {EXPIRES}", "does not have a SHA-256 digest"),
        (f"{ID} {CLIENT} {SCOPES} {DIGEST} 2027-01-01", "expiry that is neither"),
        (f"{ID} {CLIENT} {SCOPES} {DIGEST} 2027-02-30T00:00:00Z", "expiry that is neither"),
        (LINE, "repeats the key id"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_never_repeated(line: str, fault: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        ring("# keys", LINE, line)
    message = str(caught.value)
    assert message.startswith("API keys file, line 3: it ")
    assert fault in message
    assert DIGEST not in message
    assert "pasted" not in message


@pytest.mark.parametrize("text", ["", "\n \n", "# only a comment\n"])
def test_a_file_without_a_key_is_an_error(text: str) -> None:
    with pytest.raises(KeyFileError, match=r"^API keys file: it contains no key; add the line"):
        KeyRing.load(text)


@pytest.mark.parametrize(("client", "scopes"), [("Two Words", INTAKE), ("ok", frozenset()), ("ok", {"admin"})])
def test_a_key_that_no_line_could_hold_is_not_minted(client: str, scopes: frozenset[str]) -> None:
    with pytest.raises(ValueError, match=r"^has a (client name|scope) that is not"):
        mint(client, scopes, None)


def test_a_revoked_key_leaves_a_dated_comment_and_every_other_line_as_it_was() -> None:
    _, other_line = mint("crm", INTAKE, None)
    text = without_key(f"# ours\n{LINE}\n{other_line}", ID, NOW)
    assert text == f"# ours\n# revoked 2026-01-28T12:00:00Z: {ID} wordpress intake\n{other_line}\n"
    assert KeyRing.load(text).client_for(KEY, NOW) is None


def test_revoking_an_unknown_id_is_an_error() -> None:
    with pytest.raises(KeyError):
        without_key(f"# {ID}\n", ID, NOW)
