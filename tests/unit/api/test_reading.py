"""Reading a submission: what a person could answer is a lead, whatever else it says; the rest is refused."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema

from leadgen.api.flags import FLAGS, entry_of
from leadgen.api.parts import Section, Sections
from leadgen.api.problems import Problem
from leadgen.api.reading import Request, read
from leadgen.api.schemas import Submission
from leadgen.api.strict_json import parse_object
from leadgen.domain.fingerprint import canonical_json
from tests.submissions import ANSWERABLE, ANY_VALUE, SUBMISSIONS, VALID
from tests.unit.api.readings import STRICT, at, faults, reading

Json = dict[str, Any]


def refused_at(document: Json, request: Request) -> list[str]:
    try:
        reading(document, request)
    except Problem as problem:
        errors: Any = problem.extensions["errors"]
        return [error["pointer"] for error in errors]
    return []


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
# Written out, as this is the contract: one more refuses leads, one fewer makes leads that nobody can answer.
REQUIRED = {
    *("/contact", "/contact/full_name"),
    *("/request", "/request/service_type", "/request/location", "/request/location/state"),
}
CONSENT = {
    f"/consent/0/{name}" for name in ("channel", "granted", "text_version", "text_sha256", "at", "page_url")
}
OPTIONAL = sorted(MEMBERS.keys() - REQUIRED - CONSENT)


def test_the_required_members_are_those_without_which_nobody_could_answer() -> None:
    assert {pointer for pointer, required in MEMBERS.items() if required} == REQUIRED | CONSENT


def test_a_valid_submission_becomes_its_columns() -> None:
    found = reading(VALID)
    assert (found.email, found.phone_e164) == ("Maria.Lopez@example.com", "+15125550142")
    assert (found.flags, found.ignored) == ([], [])
    assert found.columns == {
        "full_name": "Maria Lopez",
        "company": "Lopez Events",
        "preferred_contact_method": "email",
        "service_type": "event_security",
        "timeline_mode": "within_a_month",
        "start_local": "2026-03-14T18:00",
        "end_local": "2026-03-14T23:30",
        "starts_at": "2026-03-14T18:00:00 America/Chicago",
        "ends_at": "2026-03-14T23:30:00 America/Chicago",
        "state": "TX",
        "street": "500 E Cesar Chavez St",
        "city": "Austin",
        "postal_code": "78701",
        "site_type": "event",
        "notes": "A product launch.\nOne evening.",
        "expected_hours": 12,
        "recurrence": "one_time",
        "headcount": 200,
        "personnel_count": 4,
        "lead_source": "motorcade.vip",
        "referrer_url": "https://www.google.com/",
        "page_url": "https://motorcade.vip/contact",
        "intake_type": "contact",
        "utm": VALID["context"]["utm"],
        "form": VALID["form"],
        "consent": [VALID["consent"][0] | {"at": "2026-01-28T15:04:05.123000+00:00"}],
    }


@pytest.mark.parametrize("pointer", OPTIONAL)
def test_what_is_optional_may_be_left_out_or_null(pointer: str) -> None:
    reading(at(pointer))
    reading(at(pointer, None))
    if pointer != "/request/timeline":
        reading(at(pointer), STRICT)


@pytest.mark.parametrize("pointer", sorted(REQUIRED))
def test_what_is_required_may_not(pointer: str) -> None:
    assert faults(at(pointer)) == [(pointer, "required")]
    assert faults(at(pointer, None)) == [(pointer, "required")]


@given(ANSWERABLE)
def test_whoever_can_be_answered_is_never_refused(body: Json) -> None:
    document = parse_object(json.dumps(body).encode())
    found = reading(document)
    assert found.email
    assert parse_object(canonical_json(document).encode()) == document
    assert parse_object(canonical_json(found.columns).encode()) == found.columns
    assert reading(copy.deepcopy(document)) == found, "the same body reads the same"
    assert {entry_of(flag) for flag in found.flags} <= FLAGS.keys()


@given(st.sampled_from(sorted(MEMBERS)), ANY_VALUE)
def test_any_value_at_any_place_is_read_or_reported_there_and_never_repeated(pointer: str, value: object) -> None:
    document = parse_object(json.dumps(at(pointer, value)).encode())
    for request in (Request(), STRICT):
        for place in refused_at(document, request):
            assert pointer.startswith(place) or place.startswith(pointer)


def test_no_detail_repeats_a_value() -> None:
    for pointer in sorted(REQUIRED):
        for value in (["Sesame"], {"x": "Sesame"}):
            with pytest.raises(Problem) as caught:
                reading(at(pointer, value), STRICT)
            told = [error["detail"] for error in json.loads(json.dumps(caught.value.extensions["errors"]))]
            assert "Sesame" not in f"{told}{caught.value}"


def test_every_fault_is_reported_at_once_across_fields_and_parts() -> None:
    document = {
        "contact": {"full_name": " \u200b", "email": "nobody", "phone": "000-000-0000"},
        "request": {"service_type": "roofing", "location": {"state": "OK"}},
    }
    assert sorted(faults(document)) == [
        ("/contact/email", "format"),
        ("/contact/full_name", "blank"),
        ("/contact/phone", "format"),
        ("/request/location/state", "not_served"),
        ("/request/service_type", "choice"),
    ]


def test_thousands_of_unknown_members_are_cut_to_fifty_and_hide_no_other_fault() -> None:
    document = at("/contact/full_name", document={**VALID, **{f"x{number}": 1 for number in range(5_000)}})
    found = faults({name: document[name] for name in reversed(document)}, STRICT)
    assert len(found) == 51
    assert ("/contact/full_name", "required") in found


def test_a_contact_without_any_address_is_refused() -> None:
    assert faults(at("/contact/email", document=at("/contact/phone"))) == [("/contact", "unreachable")]


@pytest.mark.parametrize("phone", ["000-000-0000", "07 64 01 94 08", "+1 000 000 0000", "555-0142", "911", "N/A"])
def test_a_number_that_cannot_be_called_is_no_address(phone: str) -> None:
    assert faults(at("/contact/phone", phone, document=at("/contact/email"))) == [("/contact/phone", "format")]


@pytest.mark.parametrize("state", ["CA", "ny", "District of Columbia"])
def test_a_state_that_is_not_served_has_its_own_problem_which_lists_those_that_are(state: str) -> None:
    with pytest.raises(Problem) as caught:
        read(at("/request/location/state", state), frozenset({"TX", "OK"}), Request())
    assert (caught.value.kind.slug, caught.value.kind.status) == ("outside-service-area", 422)
    assert caught.value.extensions["served_states"] == ["OK", "TX"]


@pytest.mark.parametrize("state", ["ZZ", "T", "", 5])
def test_an_unknown_state_is_a_fault_of_the_submission(state: object) -> None:
    assert faults(at("/request/location/state", state)) == [("/request/location/state", "choice")]


FULL_WIDTH = "".join(chr(ord(digit) + 0xFEE0) for digit in "512-555-0142")
# The table of docs/leadgen/README.md: what is sent, what is stored, and the flag that says so.
TABLE: list[tuple[str, object, dict[str, object], list[str]]] = [
    ("/contact/phone", "512-555-0142 or 512-555-0143", {"phone_e164": "+15125550142"}, ["more_than_one_phone"]),
    ("/contact/phone", "(512) 555-0142 (WhatsApp)", {"phone_e164": "+15125550142"}, []),
    ("/contact/phone", "512-555-0142 ext. 7", {"phone_e164": "+15125550142", "phone_extension": "7"}, []),
    ("/contact/phone", "ext.", {"phone_e164": None, "phone_text": "ext."}, ["phone_unreadable"]),
    ("/contact/phone", "N/A", {"phone_e164": None, "phone_text": "N/A"}, ["phone_unreadable"]),
    ("/contact/phone", "555-0142", {"phone_e164": None, "phone_text": "555-0142"}, ["phone_unreadable"]),
    ("/contact/phone", "", {"phone_e164": None, "phone_text": None}, ["phone_unreadable"]),
    ("/contact/phone", "+52 1 55 1234 5678", {"phone_e164": "+5215512345678"}, []),
    ("/contact/phone", "0044 20 7946 0958", {"phone_e164": "+442079460958"}, []),
    ("/contact/phone", "٥١٢٥٥٥٠١٤٢", {"phone_e164": "+15125550142"}, []),
    ("/contact/phone", FULL_WIDTH, {"phone_e164": "+15125550142"}, []),
    ("/contact/phone", 5125550142, {"phone_e164": "+15125550142"}, []),
    ("/contact/phone", "512-555-0142\n512-555-0143", {"phone_e164": "+15125550142"}, ["more_than_one_phone"]),
    ("/contact/phone", "8 (912) 345-67-89", {"phone_e164": None}, ["phone_unreadable"]),
    (
        "/contact/email",
        "nobody",
        {"email": None, "email_text": "nobody", "preferred_contact_method": "call"},
        ["email_unreadable", "preferred_contact_method_unreachable"],
    ),
    ("/contact/email", " ann@example.com\u00a0", {"email": "ann@example.com"}, []),
    ("/contact/email", "\u202aann@example.com\u202c.", {"email": "ann@example.com"}, []),
    ("/contact/email", "Ann <ann@example.com>;", {"email": "ann@example.com"}, []),
    ("/contact/email", "ann@example.com\r\nthanks", {"email": "ann@example.com"}, ["email_unusual"]),
    ("/contact/email", "Ann\u2028ann@example.com", {"email": "ann@example.com"}, ["email_unusual"]),
    ("/contact/email", "a@example.com\nb@example.com", {"email": "a@example.com"}, ["more_than_one_email"]),
    ("/contact/email", "mailto:ann@example.com", {"email": "ann@example.com"}, []),
    ("/contact/email", "a..b.@docomo.ne.jp", {"email": "a..b.@docomo.ne.jp"}, ["email_unusual"]),
    ("/contact/email", "a@example.com, b@example.com", {"email": "a@example.com"}, ["more_than_one_email"]),
    ("/contact/preferred_contact_method", "fax", {}, ["preferred_contact_method_unreadable"]),
    ("/contact/full_name", "x" * 201, {"full_name": "x" * 200}, ["full_name_cut"]),
    ("/contact/full_name", "Ann\x1b[31m \u202eLee", {"full_name": "Ann[31m Lee"}, ["characters_removed"]),
    ("/contact/full_name", "Ze\u0301 Lee\ufffd", {"full_name": "Zé Lee\ufffd"}, ["characters_replaced"]),
    ("/contact/company", "\u2800\u3164\u00ad\u200b", {"company": None}, []),
    ("/request/notes", "one\r\ntwo\u2028three\u0085four", {"notes": "one\ntwo\nthree\nfour"}, []),
    ("/request/notes", "x" * 5_001, {"notes": "x" * 5_000}, ["notes_cut"]),
    ("/request/location/postal_code", " 78701", {"postal_code": "78701"}, []),
    ("/request/location/postal_code", "787011234", {"postal_code": "78701-1234"}, []),
    ("/request/location/postal_code", 78701, {"postal_code": "78701"}, []),
    ("/request/location/postal_code", "TX 78701", {"postal_code": "TX 78701"}, ["postal_code_unreadable"]),
    ("/request/location/state", "tx", {"state": "TX"}, []),
    ("/request/location/state", "Texas", {"state": "TX"}, []),
    ("/request/timeline", {}, {"timeline_mode": None}, ["timeline_missing"]),
    ("/request/timeline/start_local", "after Easter", {"start_local": "after Easter"}, ["start_local_unreadable"]),
    ("/request/expected_hours", 4, {"expected_hours": 4}, ["below_minimum_shift"]),
    ("/request/expected_hours", "12", {"expected_hours": 12}, []),
    ("/request/headcount", "dozens", {"headcount": None}, ["headcount_unreadable"]),
    ("/request/site_type", "castle", {"site_type": None}, ["site_type_unreadable"]),
    (
        "/context/utm/source",
        "x" * 201,
        {"utm": VALID["context"]["utm"] | {"source": "x" * 200}},
        ["attribution_cut"],
    ),
    ("/context/page_url", "x" * 2_049, {"page_url": "x" * 2_048}, ["attribution_cut"]),
    ("/context/page_url", None, {"page_url": None}, ["attribution_cut"]),
    ("/context", "none", {"page_url": None, "lead_source": "unknown"}, ["attribution_cut"]),
    ("/consent/0/granted", "yes", {"consent": None}, ["consent_unreadable"]),
    ("/consent/0/text_version", "x" * 101, {"consent": None}, ["consent_unreadable"]),
    ("/request/timeline/start_local", "9999-12-31T23:59", {"starts_at": None}, ["start_local_unreadable"]),
    ("/form", {"venue": None}, {"form": None}, []),
    ("/form", {"venue": {"x": 1}, "hall": "A"}, {"form": {"hall": "A"}}, ["form_cut"]),
]


@pytest.mark.parametrize(("pointer", "value", "stored", "flags"), TABLE)
def test_the_table_of_leniency(pointer: str, value: object, stored: dict[str, object], flags: list[str]) -> None:
    found = reading(at(pointer, value))
    columns = {"email": found.email, "phone_e164": found.phone_e164} | found.columns
    assert {name: columns.get(name) for name in stored} == stored
    assert found.flags == flags
    assert found.columns.get("flags", []) == flags
    assert {entry_of(flag) for flag in flags} <= FLAGS.keys()


@pytest.mark.parametrize(
    ("at_offset", "stored"),
    [
        ("2026-01-28T15:04:05.123456789Z", "2026-01-28T15:04:05.123456+00:00"),
        ("2026-01-28T15:04:05+0000", "2026-01-28T15:04:05+00:00"),
        ("2026-01-28t15:04:05.1-06:00", "2026-01-28T21:04:05.100000+00:00"),
    ],
)
def test_the_time_of_a_consent_may_have_any_fraction_and_offset(at_offset: str, stored: str) -> None:
    assert reading(at("/consent/0/at", at_offset)).columns["consent"][0]["at"] == stored


def test_a_bad_consent_is_left_out_and_the_good_one_kept() -> None:
    document = VALID | {"consent": [VALID["consent"][0], VALID["consent"][0] | {"text_sha256": "x"}]}
    found = reading(document)
    assert len(found.columns["consent"]) == 1
    assert found.flags == ["consent_unreadable"]
    assert faults(document, STRICT) == [("/consent/1/text_sha256", "digest")]


@pytest.mark.parametrize(
    ("method", "email", "phone", "chosen", "flags"),
    [
        (None, True, True, "call", []),
        (None, True, False, "email", []),
        ("text", True, True, "text", []),
        ("email", False, True, "call", ["preferred_contact_method_unreachable"]),
        ("call", True, False, "email", ["preferred_contact_method_unreachable"]),
    ],
)
def test_the_way_to_answer_is_one_that_works(
    method: str | None,
    *,
    email: bool,
    phone: bool,
    chosen: str,
    flags: list[str],
) -> None:
    contact = {name: VALID["contact"][name] for name, on in (("email", email), ("phone", phone)) if on}
    document = VALID | {"contact": contact | {"full_name": "Ann", "preferred_contact_method": method}}
    found = reading(document)
    assert (found.columns["preferred_contact_method"], found.flags) == (chosen, flags)


def test_unknown_members_are_listed_in_order_and_refused_in_strict_mode() -> None:
    document = at("/contact/fax", 1, document={**VALID, "ai_summary": "x", "a/b~c": 1})
    assert reading(document).ignored == ["a/b~c", "ai_summary", "contact.fax"]
    expected = {("/a~1b~0c", "unknown"), ("/ai_summary", "unknown"), ("/contact/fax", "unknown")}
    assert set(faults(document, STRICT)) == expected


def test_a_long_list_of_unknown_members_is_cut() -> None:
    found = reading({**VALID, **{f"x{number:04}": 1 for number in range(5_000)}})
    assert (len(found.ignored), found.ignored[0], found.ignored[-1]) == (101, "x0000", "…")


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/request/headcount", "dozens", "type"),
        ("/request/headcount", 0, "range"),
        ("/request/site_type", "castle", "choice"),
        ("/contact/phone", 5125550142, "type"),
        ("/context", "none", "type"),
        ("/consent", {}, "type"),
    ],
)
def test_strict_mode_refuses_what_a_program_got_wrong(pointer: str, value: object, code: str) -> None:
    assert faults(at(pointer, value), STRICT) == [(pointer, code)]


@pytest.mark.parametrize("document", [at("/request/timeline", {}), at("/request/timeline")])
def test_strict_mode_asks_for_a_timeline_where_a_form_has_its_field(document: Json) -> None:
    assert faults(document, STRICT) == [("/request/timeline/mode", "required")]


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/contact/phone", "N/A"),
        ("/contact/email", "nobody"),
        ("/contact/full_name", "x" * 201),
        ("/request/notes", "\x1b"),
        ("/request/location/postal_code", "TX 78701"),
    ],
)
def test_strict_mode_never_refuses_what_a_person_typed(pointer: str, value: object) -> None:
    reading(at(pointer, value), STRICT)


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (at("/contact/full_name"), "The submission lacks what a person needs to answer it."),
        (
            at("/request/headcount", "dozens"),
            "A person could answer the submission; only `Prefer: handling=strict` refuses it.",
        ),
        (
            at("/contact/full_name", document=at("/request/headcount", "dozens")),
            "The submission lacks what a person needs to answer it.",
        ),
    ],
)
def test_the_detail_says_whether_the_submission_would_be_accepted_without_strict_mode(
    document: Json, detail: str
) -> None:
    with pytest.raises(Problem) as caught:
        reading(document, STRICT)
    assert caught.value.detail == detail


@given(st.sampled_from(sorted(MEMBERS)), ANY_VALUE)
def test_the_detail_of_strict_mode_is_true(pointer: str, value: object) -> None:
    document = parse_object(json.dumps(at(pointer, value)).encode())
    if refused_at(document, STRICT):
        with pytest.raises(Problem) as caught:
            reading(document, STRICT)
        would_be_a_lead = not refused_at(document, Request())
        assert ("only `Prefer: handling=strict` refuses it" in caught.value.detail) is would_be_a_lead


@given(SUBMISSIONS)
def test_what_is_right_is_accepted_in_strict_mode_up_to_its_numbers(submission: Json) -> None:
    try:
        reading(submission, STRICT)
    except Problem as problem:
        errors: Any = problem.extensions["errors"]
        # `time`: some zones of old times are a number of seconds away from UTC.
        assert {error["code"] for error in errors} <= {"range", "required", "too_many", "time"}


def test_the_header_for_the_lead_source_wins() -> None:
    assert reading(VALID, Request(lead_source="partner")).columns["lead_source"] == "partner"
    assert reading(at("/context")).columns["lead_source"] == "unknown"
    cut = reading(VALID, Request(lead_source="x" * 65))
    assert (cut.columns["lead_source"], cut.flags) == ("x" * 64, ["attribution_cut"])
