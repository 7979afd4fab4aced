"""The schema: what it accepts can be stored, and what it refuses it refuses at the right place."""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from leadgen.api.fields import Section, Sections, any_email, any_phone, plain_email, plain_phone
from leadgen.api.problems import Problem
from leadgen.api.schemas import Submission, Validated, validate
from leadgen.api.strict_json import parse_object
from leadgen.domain.fingerprint import canonical_json
from tests.submissions import PHONES, SUBMISSIONS, VALID

TEXAS = frozenset({"TX"})
Json = dict[str, Any]


def at(pointer: str, value: object = ..., *, document: Json = VALID) -> Json:
    """A copy of the document with another value at that place, or with none."""
    changed = copy.deepcopy(document)
    *way, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    place: Any = changed
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


def faults(document: Json) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        validate(document, TEXAS)
    assert caught.value.kind.slug == "validation-failed"
    errors: Any = caught.value.extensions["errors"]
    for error in errors:
        assert set(error) == {"pointer", "code", "detail"}
        assert error["detail"].endswith(".")
    return [(error["pointer"], error["code"]) for error in errors]


def test_a_valid_submission_yields_its_addresses_in_normal_form() -> None:
    assert validate(VALID, TEXAS) == Validated("Maria.Lopez@example.com", "+15125550142")


def members(part: Schema, document: Json, path: str = "") -> Iterator[tuple[str, bool]]:
    """The place of each member of the document, and whether the schema requires it there."""
    for name, value in document.items():
        field, here = part.fields[name], f"{path}/{name}"
        yield here, field.required
        if isinstance(field, Section):
            yield from members(field.schema, value, here)
        elif isinstance(field, Sections):
            assert isinstance(field.inner, Section)
            yield from members(field.inner.schema, value[0], f"{here}/0")


MEMBERS = dict(members(Submission(), VALID))
OPTIONAL = sorted(pointer for pointer, required in MEMBERS.items() if not required)
# Written out, as this is the contract: one more breaks every client, one fewer every reader of a lead.
REQUIRED = {
    "/contact",
    *(f"/contact/{name}" for name in ("name", "preferred_channel")),
    "/request",
    *(f"/request/{name}" for name in ("service", "timeline", "location", "details")),
    *(f"/request/location/{name}" for name in ("city", "state", "postal_code")),
    *(f"/consent/0/{name}" for name in ("channel", "granted", "text_version", "text_sha256", "at", "page_url")),
}


def test_the_required_members_are_those_that_clients_have_always_sent() -> None:
    assert MEMBERS.keys() - OPTIONAL == REQUIRED


@pytest.mark.parametrize("pointer", [pointer for pointer in OPTIONAL if pointer != "/contact/email"])
def test_what_is_optional_may_be_left_out_unless_it_is_the_address_for_the_answer(pointer: str) -> None:
    validate(at(pointer), TEXAS)


@pytest.mark.parametrize("pointer", sorted(REQUIRED))
def test_what_is_required_may_not(pointer: str) -> None:
    assert faults(at(pointer)) == [(pointer, "required")]


def leaves(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, f"{path}/{name}")
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from leaves(member, f"{path}/{position}")
    else:
        yield path


PLACES = [*leaves(VALID), "/contact", "/request", "/request/location", "/attribution", "/consent", "/consent/0"]


@pytest.mark.parametrize("pointer", PLACES)
def test_null_is_refused_everywhere(pointer: str) -> None:
    [(where, code)] = faults(at(pointer, None))
    assert where == pointer
    assert code in {"null", "type"}


# None of these is right anywhere: not even where a text, a number, an object or a list belongs.
WRONG = st.sampled_from([1.5, -1, 10**12, "\n", [[]], {"x": 1}, "x" * 5_001, "\t\n"])


@given(st.sampled_from(PLACES), WRONG)
def test_a_wrong_value_is_reported_at_its_place_and_never_repeated(pointer: str, wrong: object) -> None:
    for where, _code in faults(at(pointer, wrong)):
        assert where.startswith(pointer)


def test_no_detail_repeats_a_value() -> None:
    secret = "Sesame\n"
    for pointer in leaves(VALID):
        with pytest.raises(Problem) as caught:
            validate(at(pointer, secret * 1_000), TEXAS)
        assert "Sesame" not in json.dumps(caught.value.extensions) + str(caught.value)


@pytest.mark.parametrize("path", ["", "/contact", "/request", "/request/location", "/attribution", "/consent/0"])
def test_an_unknown_field_is_refused_at_any_level(path: str) -> None:
    assert faults(at(f"{path}/extra", "x")) == [(f"{path}/extra", "unknown")]


def test_a_pointer_escapes_what_rfc_6901_escapes() -> None:
    assert faults({**VALID, "a/b~c": 1}) == [("/a~1b~0c", "unknown")]


def test_every_fault_is_reported_at_once() -> None:
    document = at("/contact/name", " ", document=at("/request/location/postal_code", "123"))
    assert sorted(faults(document)) == [("/contact/name", "format"), ("/request/location/postal_code", "format")]


def test_thousands_of_faults_are_cut_to_a_hundred() -> None:
    assert len(faults({**VALID, **{f"x{number}": 1 for number in range(5_000)}})) == 100


def test_a_contact_without_any_address_is_refused() -> None:
    assert faults(at("/contact/email", document=at("/contact/phone"))) == [("/contact", "unreachable")]


@pytest.mark.parametrize(("channel", "missing"), [("email", "email"), ("phone", "phone"), ("sms", "phone")])
def test_the_preferred_channel_needs_its_address(channel: str, missing: str) -> None:
    document = at("/contact/preferred_channel", channel)
    validate(document, TEXAS)
    assert faults(at(f"/contact/{missing}", document=document)) == [("/contact/preferred_channel", "unreachable")]


@pytest.mark.parametrize("state", ["CA", "NY", "DC"])
def test_a_state_that_is_not_served_has_its_own_problem_which_lists_those_that_are(state: str) -> None:
    with pytest.raises(Problem) as caught:
        validate(at("/request/location/state", state), frozenset({"TX", "OK"}))
    assert (caught.value.kind.slug, caught.value.kind.status) == ("outside-service-area", 422)
    assert caught.value.extensions == {"served_states": ["OK", "TX"]}


@pytest.mark.parametrize("state", ["tx", "Texas", "ZZ", "T", ""])
def test_an_invalid_state_is_a_fault_of_the_submission(state: str) -> None:
    assert faults(at("/request/location/state", state)) == [("/request/location/state", "choice")]


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/contact/name", "", "format"),
        ("/contact/name", " \u00a0", "format"),
        ("/contact/name", "two\nlines", "format"),
        ("/contact/name", "x" * 201, "too_long"),
        ("/contact/email", "nobody", "format"),
        ("/contact/email", "a@b", "format"),
        ("/contact/email", "a..b@example.com", "format"),
        ("/contact/email", "a@example.com\n", "format"),
        ("/contact/email", "x" * 250 + "@example.com", "too_long"),
        ("/contact/email", "a@" + "x" * 64 + ".com", "format"),
        ("/contact/email", "a@localhost.test", "format"),
        ("/contact/phone", "call me", "format"),
        ("/contact/phone", "555-0142", "format"),
        ("/contact/phone", "911", "format"),
        ("/contact/phone", "0", "format"),
        ("/contact/phone", "+1 512 555 01422 9999", "format"),
        ("/contact/phone", "1" * 41, "too_long"),
        ("/request/details", " \n\t", "format"),
        ("/request/details", "x" * 5_001, "too_long"),
        ("/request/starts_on", "2026-02-30", "date"),
        ("/request/starts_on", "0000-01-01", "date"),
        ("/request/starts_on", "10000-01-01", "too_long"),
        ("/request/starts_on", "20260314", "format"),
        ("/request/starts_on", "2026-W11-6", "format"),
        ("/request/starts_on", "2026-03-1\u0664", "format"),
        ("/request/headcount", 0, "range"),
        ("/request/headcount", 100_001, "range"),
        ("/request/headcount", 2**63 - 1, "range"),
        ("/request/headcount", True, "type"),
        ("/request/headcount", 2.0, "type"),
        ("/request/headcount", "2", "type"),
        ("/request/location/postal_code", "7870", "format"),
        ("/request/location/postal_code", "78701\n", "format"),
        ("/request/location/postal_code", "\u0667\u0668\u0667\u0660\u0661", "format"),
        ("/request/service", "Event_Security", "choice"),
        ("/request/service", ["event_security"], "choice"),
        ("/consent", {}, "type"),
        ("/consent", VALID["consent"] * 11, "too_many"),
        ("/consent/0/granted", "true", "type"),
        ("/consent/0/granted", 1, "type"),
        ("/consent/0/text_sha256", "F" * 64, "format"),
        ("/consent/0/at", "2026-01-28T15:04:05", "format"),
        ("/consent/0/at", "2026-01-28 15:04:05Z", "format"),
        ("/consent/0/at", "2026-01-28T15:04:05+16:00", "format"),
        ("/consent/0/at", "2026-01-28T24:00:00Z", "format"),
        ("/consent/0/at", "2026-01-28T15:04:60Z", "format"),
        ("/consent/0/at", "2026-02-29T15:04:05Z", "date"),
        ("/consent/0/at", "0001-01-01T00:00:00+01:00", "date"),
        ("/consent/0/at", "9999-12-31T23:59:59-01:00", "date"),
        ("/consent/0/page_url", "javascript:alert(1)", "format"),
        ("/consent/0/page_url", "https://", "format"),
        ("/attribution/referrer", "a\0b", "format"),
    ],
)
def test_a_value_that_postgres_or_a_person_could_not_use_is_refused(
    pointer: str, value: object, code: str
) -> None:
    assert faults(at(pointer, value)) == [(pointer, code)]


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/contact/name", "Ñandú O'Brien-Łukasz 😀"),
        ("/contact/email", "josé@exämple.com"),
        ("/contact/phone", "+49 30 901820"),
        ("/contact/phone", "1-800-555-0199"),
        ("/contact/phone", "512.555.0142 ext. 7"),
        ("/request/starts_on", "0001-01-01"),
        ("/request/starts_on", "9999-12-31"),
        ("/request/details", "{[“\\u0000”]}\t\x01"),
        ("/request/location/postal_code", "78701-1234"),
        ("/attribution/referrer", "android-app://com.google.android.gm/"),
        ("/consent", []),
        ("/consent/0/at", "2026-01-28T15:04:05.123456-06:00"),
    ],
)
def test_an_unusual_value_costs_no_lead(pointer: str, value: object) -> None:
    validate(at(pointer, value), TEXAS)


# What people write, with and without its faults.
EMAILS = st.from_regex(r"[A-Za-z0-9_+.-]{1,70}@[A-Za-z0-9.-]{1,70}\.(com|org|us|test|x)", fullmatch=True)


def same_answer(plain: Callable[[str], str | None], library: Callable[[str], str], text: str) -> bool:
    quick = plain(text)
    try:
        return quick is None or quick == library(text)
    except ValidationError:
        return False


@given(EMAILS)
@example("INFO@company.com")
def test_a_plain_address_reads_as_the_library_reads_it(text: str) -> None:
    assert same_answer(plain_email, any_email, text)


@given(PHONES)
def test_a_plain_number_reads_as_the_library_reads_it(text: str) -> None:
    assert same_answer(plain_phone, any_phone, text)


def test_everyday_addresses_are_plain() -> None:
    assert plain_email("maria.lopez+x@Mail.Example.com") == "maria.lopez+x@mail.example.com"
    for written in ("5125550142", "(512) 555-0142", "512-555-0142", "+1 512 555 0142", "1.512.555.0142"):
        assert plain_phone(written) == "+15125550142"


@given(SUBMISSIONS)
def test_what_is_accepted_survives_its_canonical_text_and_fits_the_columns(submission: Json) -> None:
    try:
        valid = validate(submission, TEXAS)
    except Problem:
        return
    stored = canonical_json(submission)
    assert parse_object(stored.encode()) == submission
    assert "\0" not in stored
    assert valid.email or valid.phone_e164
    assert 1 <= submission["request"].get("headcount", 1) < 2**31
    for consent in submission.get("consent", ()):
        assert 1 <= datetime.fromisoformat(consent["at"]).astimezone(UTC).year <= 9999


@given(SUBMISSIONS)
def test_the_quick_reading_and_marshmallow_agree(submission: Json) -> None:
    part = Submission()
    try:
        quick = part.read(submission)
    except (KeyError, ValidationError):
        with pytest.raises(ValidationError):
            part.load(submission)
    else:
        assert part.load(submission) == quick


@given(st.sampled_from(PLACES), WRONG)
def test_both_agree_on_wrong_documents_too(pointer: str, wrong: object) -> None:
    document = at(pointer, wrong)
    part = Submission()
    with pytest.raises((KeyError, ValidationError)):
        part.read(document)
    with pytest.raises(ValidationError):
        part.load(document)
