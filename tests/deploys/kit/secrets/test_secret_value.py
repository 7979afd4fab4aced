"""A value that no service may trust is told from one that it may."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.kit.secrets import value


@pytest.mark.parametrize("empty", [""])
def test_an_empty_value_is_told_first(empty: str) -> None:
    assert value.fault(empty, 24) == "is empty"


@pytest.mark.parametrize(
    "broken", ["a\nb", "a\n", "a\0b", "a\rb", "a\tb", "\x1b[2J", "a\u2028b", "a\u200bb", "\ufeffa"]
)
def test_what_cannot_be_printed_is_told(broken: str) -> None:
    fault = "contains a line break or another unprintable character"
    assert value.fault(broken, 1) == fault


@pytest.mark.parametrize(
    "stand_in",
    """changeme CHANGE_ME Change-Me change_me_before_you_deploy changethis todo TODO tbd FIXME placeholder
    PlaceHolder placeholder-for-the-real-password <password> <insert-the-secret-here> ${PASSWORD} {{password}}
    xxx XXXXXXXX xxxx-xxxx-xxxx-xxxx-xxxx-xxxx aaaaaaaaaaaaaaaaaaaaaaaa
    000000000000000000000000 ........................ changemechangemechangeme abcabcabcabcabcabcabcabc
    password secret-to-be-replaced-later example 12345678901234567890""".split(),
)
def test_a_placeholder_is_told_however_long_it_is(stand_in: str) -> None:
    assert value.fault(stand_in, 1) == "is a placeholder"


@pytest.mark.parametrize(
    "good",
    """todorov-ran-to-the-hills-in-1987 exchange-Me-Kx83hdkw9Lq2mZx8 xxGk38skdLq02mZx83jdL0w9
    a<b>c8Jd92kdLs02mZx83jdL0w9q secretaryOfTheBoard-9d8f7g6h placeholders""".split(),
)
def test_what_only_resembles_a_placeholder_is_left_alone(good: str) -> None:
    assert value.fault(good, 1) == ""


def test_a_value_that_is_too_short_is_told_by_its_length_only() -> None:
    assert value.fault("k8-Zq", 24) == "has 5 characters; the minimum is 24"
    assert value.fault("k8-Zq", 5) == ""


@given(st.text(min_size=1), st.integers(1, 64))
def test_a_fault_never_quotes_the_value(text: str, minimum: int) -> None:
    faults = {
        "is empty",
        "contains a line break or another unprintable character",
        "is a placeholder",
        f"has {len(text)} characters; the minimum is {minimum}",
        "",
    }
    assert value.fault(text, minimum) in faults


@pytest.mark.parametrize("minimum", [1, 24, 43, 64, 200])
def test_a_generated_value_is_long_enough_random_and_plain(minimum: int) -> None:
    made = {value.generate(minimum) for _ in range(20)}
    assert len(made) == 20
    for one in made:
        assert len(one) >= max(43, minimum)
        assert value.fault(one, minimum) == ""
        assert one.replace("-", "").replace("_", "").isalnum()
        assert one.isascii()


def test_a_random_value_that_happens_to_look_like_a_placeholder_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draws = iter(["todo-" + "k8Zq" * 10, "k8" * 30, "K8zQ-9xWv-72mNp-" + "Lr5t6Yh2Jd0Qw3E"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(draws))
    assert value.generate(24) == "K8zQ-9xWv-72mNp-Lr5t6Yh2Jd0Qw3E"


def test_bytes_that_are_no_text_leave_no_error_behind_that_could_be_shown() -> None:
    assert value.text(b"\xff\xfe") is None
    assert value.text("größer".encode()) == "größer"
