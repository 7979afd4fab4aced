"""What the company's own callers send, and the flat bodies of its site's forms."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leadgen.api.problems import Problem
from leadgen.api.reading import Request, read
from leadgen.api.strict_json import parse_object
from tests import company_payloads as company
from tests.submissions import ANY_VALUE, VALID
from tests.unit.api.readings import SITE, STRICT, faults, reading

Json = dict[str, Any]


class TestTheCompanysOwnCallers:
    def test_the_outbox_check_is_a_lead_without_a_flag(self) -> None:
        found = reading(company.OUTBOX_CHECK)
        assert (found.flags, found.ignored) == ([], [])
        reading(company.OUTBOX_CHECK, STRICT)

    def test_the_smoke_test_is_a_lead_and_its_own_members_are_listed(self) -> None:
        assert reading(company.SMOKE).ignored == company.SMOKE_IGNORED

    def test_the_check_without_an_address_is_refused(self) -> None:
        assert faults(company.TEXAS_CHECK) == [("/contact", "unreachable")]

    def test_a_request_outside_texas_is_refused(self) -> None:
        with pytest.raises(Problem, match="outside-service-area"):
            reading(company.OUTSIDE_TEXAS)

    def test_the_contact_form_is_a_lead(self) -> None:
        found = reading(company.CONTACT_FORM, SITE)
        assert found.flags == ["assumed_state", "timeline_missing"]
        assert found.columns == {
            "full_name": "Site Visitor",
            "preferred_contact_method": "email",
            "service_type": "executive_protection",
            "state": "TX",
            "notes": "Please call me about a visit in March.",
            "recurrence": "one_time",
            "lead_source": "unknown",
            "page_url": "/contact.html",
            "intake_type": "contact",
            "form": {"consent_contact": "on"},
            "flags": found.flags,
        }

    def test_the_assessment_form_is_a_lead_with_its_own_words_kept(self) -> None:
        found = reading(company.ASSESSMENT_FORM, SITE)
        assert found.flags == ["assumed_state", "service_unmapped", "timeline_missing"]
        assert found.columns["service_type"] == "other"
        assert found.columns["form"] == {
            "property_type": "warehouse",
            "concerns": ["theft", "access"],
            "employees": 40,
            "service_type": "security assessment",
        }


class TestTheFlatProfile:
    def test_it_is_read_only_for_the_site(self) -> None:
        assert sorted(faults(company.CONTACT_FORM)) == [("/contact", "required"), ("/request", "required")]

    def test_a_body_of_contract_v1_stays_one(self) -> None:
        assert reading(VALID, SITE) == reading(VALID)

    def test_its_faults_have_the_names_of_the_form(self) -> None:
        body = company.CONTACT_FORM | {"email": "nobody", "full_name": "\u200b", "state": "ZZ"}
        assert sorted(faults(body, SITE)) == [
            ("/email", "format"),
            ("/full_name", "required"),
            ("/state", "choice"),
        ]
        no_service = {name: value for name, value in company.CONTACT_FORM.items() if name != "service_type"}
        assert faults(no_service, SITE) == [("/service_type", "required")]

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ({"name": "", "email": "", "phone": "", "message": ""}, ["/email", "/name", "/service_type"]),
            ({"full_name": "", "phone": ""}, ["/full_name", "/phone", "/service_type"]),
            ({"name": "Ann", "service_type": "other"}, ["/email"]),
            ({"email": "ann@example.com", "service_type": "other"}, ["/full_name"]),
            ({"service_type": "other"}, ["/contact", "/request"]),
        ],
    )
    def test_so_have_those_of_a_form_with_nothing_in_it(self, body: Json, found: list[str]) -> None:
        assert sorted(pointer for pointer, _ in faults(body, SITE)) == found

    def test_what_cannot_be_read_stays_in_the_form_for_a_person(self) -> None:
        given = {"timeline": "Next month", "site_type": "Retail store", "expected_hours": "8 hours"}
        found = reading(company.CONTACT_FORM | given | {"full_name": "\u200b", "name": "Ann"}, SITE)
        assert found.columns["full_name"] == "Ann"
        assert found.columns["form"] == given | {"consent_contact": "on"}
        assert "site_type_unreadable" in found.flags

    def test_a_default_that_is_not_served_is_no_default(self) -> None:
        with pytest.raises(Problem) as caught:
            read(company.CONTACT_FORM, frozenset({"OK"}), SITE)
        errors: Any = caught.value.extensions["errors"]
        assert [error["pointer"] for error in errors] == ["/state"]

    def test_without_a_default_a_state_has_to_be_named(self) -> None:
        assert faults(company.CONTACT_FORM, Request(flat=True)) == [("/state", "required")]

    def test_a_filled_honeypot_is_a_sign_and_never_drops_a_lead(self) -> None:
        found = reading(company.CONTACT_FORM | {"website": "https://spam.example"}, SITE)
        assert "honeypot_filled" in found.flags
        assert "honeypot_filled" not in reading(company.CONTACT_FORM | {"website": ""}, SITE).flags

    @given(st.dictionaries(st.text(max_size=30), ANY_VALUE, max_size=8))
    @example({"name": []})
    @example({"source_page": {}, "notes": 1})
    def test_whatever_else_a_form_has_costs_no_lead(self, rest: Json) -> None:
        body = rest | company.CONTACT_FORM
        # The first two make it another form; a state that nobody knows is a reason to refuse it.
        body = {name: value for name, value in body.items() if name not in {"contact", "request", "state"}}
        found = reading(parse_object(json.dumps(body).encode()), SITE)
        assert found.email == "visitor@example.com"
