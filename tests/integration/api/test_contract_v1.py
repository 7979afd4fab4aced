"""Contract v1 over HTTP on a real database: the company's callers, headers, flags, replays, the release before."""

import json
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.rows import dict_row

from leadgen.domain.api_key import key_id_of
from leadgen.domain.fingerprint import canonical_json, fingerprint
from leadgen.domain.intake_id import uuid7
from leadgen.store.connection import connect
from leadgen.store.migrations import migrate, shipped
from leadgen.store.queue import drain_batch
from tests import company_payloads as company
from tests.conftest import Database
from tests.integration.api.caller import Caller, Keys, assert_problem, rows
from tests.integration.lead import LEAD

Json = dict[str, Any]
STRICT = {"Prefer": "respond-async, handling=strict"}


def leads(database: Database) -> list[Json]:
    """All that was accepted, drained, as rows."""
    with connect(database.app_url, "tests") as connection:
        drain_batch(connection)
    with psycopg.connect(database.superuser_url) as connection:
        return (
            connection.cursor(row_factory=dict_row).execute("SELECT * FROM app.leads ORDER BY lead_id").fetchall()
        )


def old_intake(database: Database, payload: Json, key: str | None = None) -> str:
    """As the release before contract v1 stored one."""
    intake_id, text = uuid7(), canonical_json(payload)
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(
            "INSERT INTO app.intake_jobs (intake_id, request_id, client_id, idempotency_key, fingerprint,"
            " fingerprint_version, payload, email) VALUES (%s, %s, 'wordpress', %s, %s, 1, %s, 'ann@example.com')",
            [intake_id, intake_id, key, fingerprint(text), text],
        )
        connection.execute("INSERT INTO app.intake_queue (intake_id) VALUES (%s)", [intake_id])
    return str(intake_id)


OLD: Json = {
    "contact": {"name": "Ann Example", "email": "ann@example.com", "preferred_channel": "sms"},
    "request": {
        "service": "secure_transport",
        "timeline": "immediately",
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "details": "Two days.",
        "starts_on": "2026-12-01",
        "headcount": 2,
    },
    "attribution": {"page_url": "https://motorcade.vip/", "utm_source": "google"},
    "consent": [
        {
            "channel": "sms",
            "granted": True,
            "text_version": "1",
            "text_sha256": "0" * 64,
            "at": "2026-01-28T15:04:05Z",
            "page_url": "https://motorcade.vip/",
        }
    ],
}


class TestTheCompanysOwnCallers:
    @pytest.mark.parametrize("body", [company.OUTBOX_CHECK, company.SMOKE])
    def test_its_playbooks_are_accepted_with_their_header(self, app: Flask, keys: Keys, body: Json) -> None:
        headers = {"X-API-Key": keys.of["wordpress"], "X-Request-Id": "req_0123456789abcdef"}
        answer = app.test_client().post("/lead/intake", json=body, headers=headers)
        assert answer.status_code == 202
        document = answer.get_json()
        assert document["status"] == "accepted"
        assert document["request_id"] == answer.headers["X-Request-Id"] == "req_0123456789abcdef"
        assert document.get("ignored", []) == (company.SMOKE_IGNORED if body is company.SMOKE else [])

    def test_a_lead_that_nobody_could_answer_is_refused(self, caller: Caller) -> None:
        document = assert_problem(caller.post(company.TEXAS_CHECK), 422, "validation-failed")
        assert document["code"] == "VALIDATION_ERROR"
        assert [error["field"] for error in document["errors"]] == ["contact"]

    def test_a_lead_from_outside_texas_is_refused_with_the_words_of_v1(self, caller: Caller) -> None:
        document = assert_problem(caller.post(company.OUTSIDE_TEXAS), 422, "outside-service-area")
        assert document["code"] == "OUTSIDE_SERVICE_AREA"
        assert [error["field"] for error in document["errors"]] == ["request.location.state"]

    def test_its_forms_are_accepted_from_the_site_only(
        self, site: Caller, caller: Caller, database: Database
    ) -> None:
        for form in (company.CONTACT_FORM, company.ASSESSMENT_FORM):
            assert_problem(caller.post(form), 422, "validation-failed")
            assert site.post(form).status_code == 202
        first, second = leads(database)
        assert (first["client_id"], first["service_type"], first["state"]) == (
            "site",
            "executive_protection",
            "TX",
        )
        assert (second["service_type"], second["form"]["service_type"]) == ("other", "security assessment")
        assert "assumed_state" in second["flags"]

    def test_the_health_check_of_v1_finds_its_words(self, caller: Caller) -> None:
        health = caller.get("/lead/health").get_json()
        assert health["status"] == "ok" or set(health["dependencies"].values()) != {"ok"}
        assert (health["service"], health["version"], health["queue"], health["db"]) == (
            "leadgen",
            "v1",
            "pg_outbox",
            "ok",
        )
        version = caller.get("/lead/version").get_json()
        assert version == {"service": "leadgen", "version": "v1", "release": "unreleased"}


class TestAnswers:
    def test_flags_and_ignored_members_are_in_the_202_and_the_lead(
        self, caller: Caller, database: Database
    ) -> None:
        body = {**LEAD, "ai_summary": "x", "contact": {**LEAD["contact"], "phone": "ask my wife"}}
        document = caller.post(body).get_json()
        assert (document["flags"], document["ignored"]) == (["phone_unreadable"], ["ai_summary"])
        (lead,) = leads(database)
        assert (lead["flags"], lead["phone_text"], lead["phone_e164"]) == (
            ["phone_unreadable"],
            "ask my wife",
            None,
        )
        assert lead["payload"] == body, "what was sent is kept as it was sent"

    def test_who_sent_it_with_which_key_is_stored(self, caller: Caller, keys: Keys, database: Database) -> None:
        caller.post(LEAD, **{"X-Lead-Source": "partner", "X-Request-Id": "their-id-1"})
        (lead,) = leads(database)
        key_id = key_id_of(keys.of["wordpress"])
        assert (lead["key_id"], lead["lead_source"], lead["x_request_id"]) == (key_id, "partner", "their-id-1")

    def test_strict_mode_refuses_unknown_members_and_says_where(self, caller: Caller) -> None:
        body = {**LEAD, "ai_summary": "x"}
        document = assert_problem(caller.post(body, **STRICT), 422, "validation-failed")
        assert document["errors"] == [
            {
                "pointer": "/ai_summary",
                "field": "ai_summary",
                "code": "unknown",
                "detail": "This field is unknown.",
            }
        ]
        assert caller.post(LEAD, **STRICT).status_code == 202

    def test_a_replay_is_byte_identical_with_another_request_id_and_other_rules(
        self, caller: Caller, database: Database
    ) -> None:
        body = {**LEAD, "extra": 1}
        first = caller.post(body, "k", **{"X-Request-Id": "first-try"})
        leads(database)
        again = caller.post(body, "k", **{"X-Request-Id": "second-try"})
        assert (again.status_code, again.data) == (202, first.data)
        assert again.headers["X-Request-Id"] == "second-try"
        strict = caller.post(body, "k", **STRICT)
        assert (strict.status_code, strict.data) == (202, first.data), "accepted once is accepted for ever"

    @pytest.mark.parametrize("given", ["short", "has a space", "x" * 129, "naïve-request"])
    def test_an_unfit_request_id_is_replaced(self, caller: Caller, given: str) -> None:
        answer = caller.post(LEAD, **{"X-Request-Id": given.encode().decode("latin-1")})
        assert answer.status_code == 202
        assert answer.get_json()["request_id"] == answer.headers["X-Request-Id"] != given

    def test_a_request_that_only_asks_stores_nothing(self, caller: Caller, database: Database) -> None:
        def ask(body: Json, query: str) -> Any:  # noqa: ANN401 - werkzeug's answer
            return caller.app.test_client().post(
                f"/lead/intake?{query}", json=body, headers={"X-API-Key": caller.key, "Idempotency-Key": "k"}
            )

        answer = ask(LEAD, "validate=only")
        assert (answer.status_code, answer.data) == (204, b"")
        assert_problem(ask(company.TEXAS_CHECK, "validate=only"), 422, "validation-failed")
        assert_problem(ask(LEAD, "validate=twice"), 400, "bad-request")
        assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(0,)]
        assert ask(LEAD, "other=1").status_code == 202

    def test_either_name_of_the_idempotency_key_is_the_same_header(self, caller: Caller) -> None:
        first = caller.post(key="k-1")
        assert caller.post(LEAD, **{"X-Idempotency-Key": '"k-1"'}).data == first.data
        assert caller.post(LEAD, "k-1", **{"X-Idempotency-Key": "k-1"}).data == first.data
        both = caller.post(LEAD, "k-1", **{"X-Idempotency-Key": "k-2"})
        assert_problem(both, 400, "malformed-idempotency-key")

    def test_two_idempotency_keys_in_one_request_are_refused(self, caller: Caller, database: Database) -> None:
        # As every server joins two lines of the same header.
        assert_problem(caller.post(key="k-1,k-2"), 400, "malformed-idempotency-key")
        assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(0,)]


class TestTheReleaseBefore:
    def test_what_it_accepted_becomes_a_lead_in_the_words_of_v1(self, database: Database) -> None:
        intake_id = old_intake(database, OLD)
        (lead,) = leads(database)
        assert (str(lead["intake_id"]), lead["x_request_id"]) == (intake_id, intake_id)
        assert (lead["full_name"], lead["service_type"], lead["timeline_mode"]) == (
            "Ann Example",
            "ep_transport",
            "immediate",
        )
        assert (lead["preferred_contact_method"], lead["notes"], lead["headcount"]) == ("text", "Two days.", 2)
        assert lead["starts_at"].isoformat() == "2026-12-01T06:00:00+00:00"
        assert (lead["page_url"], lead["utm"]) == ("https://motorcade.vip/", {"source": "google"})
        assert rows(database, "SELECT channel, granted FROM app.consents") == [("sms", True)]

    def test_its_answer_is_repeated_as_it_was(self, caller: Caller, database: Database) -> None:
        intake_id = old_intake(database, OLD, key="k")
        again = caller.post(OLD, key="k")
        assert again.status_code == 202
        expected = f'{{"intake_id": "{intake_id}", "request_id": "{intake_id}", "status": "queued"}}\n'
        assert again.text == expected
        assert json.loads(again.text)["status"] == "queued"

    def test_its_leads_get_the_columns_of_v1(self, bare_database: Database) -> None:
        before = shipped()[3].version
        migrate(bare_database.owner_url, to=before, report=lambda _: None)
        with psycopg.connect(bare_database.superuser_url) as connection:
            connection.execute(
                "INSERT INTO app.leads (name, email, preferred_channel, service, timeline, city, state,"
                " postal_code, details, payload)"
                " VALUES ('Ann Example', 'ann@example.com', 'sms', 'secure_transport',"
                " 'immediately', 'Austin', 'TX', '78701', 'Two days.', %s)",
                [json.dumps(OLD)],
            )
        migrate(bare_database.owner_url, report=lambda _: None)
        query = "SELECT full_name, service_type, timeline_mode, notes, lead_source, flags FROM app.leads"
        assert rows(bare_database, query) == [
            ("Ann Example", "ep_transport", "immediate", "Two days.", "unknown", [])
        ]

    def test_its_worker_makes_whole_leads_of_intakes_of_either_release(
        self, caller: Caller, database: Database
    ) -> None:
        old = old_intake(database, OLD)
        accepted = caller.post({**LEAD, "contact": {**LEAD["contact"], "phone": "ask me"}}).get_json()
        new, new_request = accepted["intake_id"], accepted["request_id"]
        with psycopg.connect(database.app_url) as worker:
            worker.execute(INSERT_OF_THE_RELEASE_BEFORE)
        query = "SELECT intake_id::text, full_name, service_type, notes, flags, x_request_id FROM app.leads"
        assert rows(database, f"{query} ORDER BY intake_id = '{old}' DESC") == [
            (old, "Ann Example", "ep_transport", "Two days.", [], old),
            (
                new,
                "Ann Example",
                "executive_protection",
                "Two days, one principal.",
                ["phone_unreadable"],
                new_request,
            ),
        ]

    def test_its_worker_makes_no_lead_without_a_name(self, database: Database) -> None:
        with psycopg.connect(database.owner_url) as owner, pytest.raises(psycopg.errors.CheckViolation):
            owner.execute("INSERT INTO app.leads (email, state, payload) VALUES ('a@example.com', 'TX', '{}')")


# From its drain, without the claim: the same columns and expressions.
INSERT_OF_THE_RELEASE_BEFORE = """
    INSERT INTO app.leads (
        intake_id, request_id, client_id, idempotency_key, name, email, phone_e164, preferred_channel, service,
        timeline, city, state, postal_code, details, starts_on, headcount, attribution, payload, received_at
    )
    SELECT
        intake_id, request_id, client_id, idempotency_key, payload #>> '{contact,name}', email, phone_e164,
        payload #>> '{contact,preferred_channel}', payload #>> '{request,service}',
        payload #>> '{request,timeline}', payload #>> '{request,location,city}',
        payload #>> '{request,location,state}',
        payload #>> '{request,location,postal_code}', payload #>> '{request,details}',
        (payload #>> '{request,starts_on}')::date, (payload #>> '{request,headcount}')::integer,
        payload -> 'attribution', payload, created_at
    FROM app.intake_jobs
"""
