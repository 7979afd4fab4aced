"""What a person is known by: one reading for what they wrote and for what an operator looks for."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leadgen.api import email_address, phone_number
from leadgen.api.identity import identities, read
from leadgen.domain.erasure import Identity
from leadgen.domain.plain_text import clean
from tests.submissions import NASTY, PHONES

EMAILS = st.emails() | st.sampled_from(
    ["Info@Example.com", "a.b.@docomo.ne.jp", "ann@exämple.de", "ANN@EXAMPLE.COM"]
)


def known_by(
    email: str | None = None,
    phone: str | None = None,
    email_text: str | None = None,
    phone_text: str | None = None,
) -> frozenset[Identity]:
    return identities(email=email, phone_e164=phone, email_text=email_text, phone_text=phone_text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("email", " <Ann@Example.com> ", "ann@example.com"),
        ("email", "mailto:ann@example.com", "ann@example.com"),
        ("phone", "(512) 555-0100 ext. 7", "+15125550100"),
        ("phone", "0044 20 7946 0958", "+442079460958"),
    ],
)
def test_an_address_or_number_is_read_as_the_intake_reads_it(kind: str, text: str, value: str) -> None:
    assert read(kind, text) == (Identity(kind, value), True)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("email", "Ann at\u200b Example", "annatexample"), ("phone", "(555) 01-00", "5550100")],
)
def test_what_is_neither_is_a_text_without_its_spaces_and_said_to_be_one(kind: str, text: str, value: str) -> None:
    assert read(kind, text) == (Identity(kind, value), False)


@pytest.mark.parametrize("text", ["", " ", "\u200b\n"])
@pytest.mark.parametrize("kind", ["email", "phone"])
def test_nothing_at_all_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="is empty"):
        read(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"), [("email", "a@example.com, b@example.com"), ("phone", "512-555-0100 / 512-555-0101")]
)
def test_two_are_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="has more than one"):
        read(kind, text)


def test_the_same_twice_is_one() -> None:
    assert read("email", "ann@example.com <Ann@example.com>")[0].value == "ann@example.com"


def test_a_text_adds_all_that_is_in_it_and_nothing_else() -> None:
    both = known_by(email="a@example.com", email_text="a@example.com or B@example.com")
    assert both == {Identity("email", "a@example.com"), Identity("email", "b@example.com")}
    assert known_by(phone="+15125550100", phone_text="512 555 0100 / 512 555 0101") == {
        Identity("phone", "+15125550100"),
        Identity("phone", "+15125550101"),
    }
    assert known_by() == frozenset()


def test_a_number_in_the_place_of_an_address_is_a_number_too() -> None:
    assert known_by(email_text="call 512-555-0100") == {
        Identity("phone", "+15125550100"),
        Identity("email", "call512-555-0100"),
    }


@given(EMAILS)
def test_whoever_is_stored_by_an_address_is_found_by_it_in_any_case(text: str) -> None:
    reading = email_address.read(text)
    assert reading is not None
    for written in (text, reading.address, reading.address.upper(), f" {text}\n"):
        if email_address.read(written) is None:
            continue  # some letters have no upper case that is one letter
        assert read("email", written)[0] in known_by(email=reading.address)


@given(PHONES)
def test_whoever_is_stored_by_a_number_is_found_by_it(text: str) -> None:
    reading = phone_number.read(text)
    stored = known_by(phone=reading.e164) if reading else known_by(phone_text=text)
    assert read("phone", text)[0] in stored


@given(NASTY, st.sampled_from(["email", "phone"]))
def test_whatever_was_written_is_found_by_writing_it_again(text: str, kind: str) -> None:
    stored = clean(text)[0]
    try:
        who, _ = read(kind, text)
    except ValueError:
        return
    if stored:
        assert who in known_by(**{f"{kind}_text": stored})


@given(st.lists(EMAILS, min_size=1, max_size=3))
@example(["/@a.ai", "/@a.ne"])
@example(["ann/x@example.com", "bob@example.com"])
@example(["'@a.au", "'@a.ac"])
@example(["|@a.ae", "|@a.ac"])
def test_the_first_of_all_readings_is_the_one_that_is_stored(texts: list[str]) -> None:
    text = ", ".join(texts)
    reading = email_address.read(text)
    assert reading is not None
    assert email_address.read_all(text)[0] == reading.address
