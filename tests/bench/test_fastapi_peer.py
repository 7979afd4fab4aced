"""The peer does our work: it takes what we take, refuses what we refuse, and stores and answers the same."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.bench.errors import Missing
from tests.bench.stack import Server, Stack, peer_python
from tests.submissions import VALID

ROW = """
SELECT client_id, key_id, x_request_id, fingerprint, fingerprint_version, payload, lead, email, phone_e164,
       answer::jsonb - 'intake_id' - 'received_at_utc', length(answer)
FROM app.intake_jobs
"""
REQUEST_ID = "a-request-of-the-tests"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """Our server and the peer's, each with its own database."""
    try:
        peer_python()
    except Missing as error:
        pytest.skip(str(error))
    with (
        Stack() as stack,
        stack.database() as ours,
        stack.database() as theirs,
        stack.api(ours) as api,
        stack.fastapi(theirs) as fastapi,
    ):
        yield {"ours": api, "FastAPI": fastapi}


def post(
    server: Server, document: object, *, key: str | None = None, api_key: str | None = None, strict: bool = False
) -> tuple[int, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own address
        server.intake,
        json.dumps(document).encode(),
        {
            "X-API-Key": api_key or server.key,
            "Content-Type": "application/json",
            "Idempotency-Key": key or uuid4().hex,
            "X-Request-Id": REQUEST_ID,
            **({"Prefer": "handling=strict"} if strict else {}),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the same
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, None


def changed(path: str, value: object) -> dict[str, Any]:
    """VALID with another value at `path`; None takes the member away."""
    document = deepcopy(VALID)
    *parents, last = path.split("/")
    part: Any = document
    for parent in parents:
        part = part[int(parent)] if parent.isdigit() else part[parent]
    part[last] = value
    if value is None:
        del part[last]
    return document


TAKEN = {
    "valid": VALID,
    "no context": changed("context", None),
    "no start": changed("request/timeline/start_local", None),
    "no phone": changed("contact/phone", None),
    "unusual ending": changed("contact/email", "Ann+list@Example.museum"),
    "unreadable e-mail": changed("contact/email", "ann@"),
    "unreadable phone": changed("contact/phone", "123"),
    "two phones": changed("contact/phone", "512-555-0142 or 512-555-0143"),
    "phone of elsewhere": changed("contact/phone", "+49 30 901820"),
    "unknown method": changed("contact/preferred_contact_method", "fax"),
    "no method": changed("contact/preferred_contact_method", None),
    "name with an accent": changed("contact/full_name", " Zoë "),
    "unknown member": changed("contact/age", 7),
    "no such day": changed("request/timeline/start_local", "2026-02-30"),
    "no people": changed("request/headcount", 0),
    "people as text": changed("request/headcount", "7"),
    "short shift": changed("request/expected_hours", 4),
    "blank notes": changed("request/notes", "\n"),
    "NUL": changed("request/notes", "a\0b"),
    "state by name": changed("request/location/state", "Texas"),
    "unreadable ZIP": changed("request/location/postal_code", "787"),
    "long referrer": changed("context/referrer_url", "https://example.com/" + "x" * 3_000),
    "bad digest": changed("consent/0/text_sha256", "0"),
    "time without an offset": changed("consent/0/at", "2026-01-28"),
    "granted as a number": changed("consent/0/granted", 1),
}
REFUSED = {
    "no contact": changed("contact", None),
    "no name": changed("contact/full_name", " "),
    "state elsewhere": changed("request/location/state", "OK"),
    "unknown service": changed("request/service_type", "gardening"),
    "no address": changed("contact", {"full_name": "Ann", "phone": "000-000-0000"}),
}


@pytest.mark.parametrize("document", TAKEN.values(), ids=TAKEN)
def test_both_store_the_same_row_and_queue_it(servers: dict[str, Server], document: dict[str, Any]) -> None:
    found = {}
    for name, server in servers.items():
        status, body = post(server, document)
        assert status == 202
        assert server.database
        with psycopg.connect(server.database.owner_url) as connection:
            found[name] = connection.execute(f"{ROW} WHERE intake_id = %s", [body["intake_id"]]).fetchone()
            queued = connection.execute("SELECT 1 FROM app.intake_queue WHERE intake_id = %s", [body["intake_id"]])
            assert queued.fetchone() == (1,)
    assert found["FastAPI"] == found["ours"]


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_both_refuse_what_no_one_could_answer(servers: dict[str, Server], document: dict[str, Any]) -> None:
    assert {post(server, document)[0] for server in servers.values()} == {422}


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (VALID, 202),
        (TAKEN["unreadable phone"], 202),
        (TAKEN["unknown member"], 422),
        (TAKEN["no people"], 422),
    ],
)
def test_both_are_strict_when_asked(servers: dict[str, Server], document: dict[str, Any], status: int) -> None:
    assert {post(server, document, strict=True)[0] for server in servers.values()} == {status}


def test_both_replay_a_key_and_refuse_it_for_another_lead(servers: dict[str, Server]) -> None:
    for server in servers.values():
        key = uuid4().hex
        first = post(server, VALID, key=key)
        assert post(server, VALID, key=key) == first
        assert post(server, changed("request/headcount", 9), key=key)[0] == 409


def test_both_refuse_a_key_that_was_never_issued(servers: dict[str, Server]) -> None:
    assert {post(server, VALID, api_key=server.key + "0")[0] for server in servers.values()} == {401}
