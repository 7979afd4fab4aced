"""The peer does our work: it takes what we take, refuses what we refuse, and stores the same."""

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

ROW = "SELECT client_id, fingerprint, fingerprint_version, payload, email, phone_e164 FROM app.intake_jobs"


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
    server: Server, document: object, *, key: str | None = None, api_key: str | None = None
) -> tuple[int, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own address
        server.intake,
        json.dumps(document).encode(),
        {
            "Authorization": f"Bearer {api_key or server.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": key or uuid4().hex,
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


@pytest.mark.parametrize(
    "document",
    [
        VALID,
        changed("attribution", None),
        changed("request/starts_on", None),
        changed("contact/phone", None),
        changed("contact/email", "Ann+list@Example.museum"),
        changed("contact/email", "ann@"),
        changed("contact/phone", "123"),
        changed("contact/phone", "+49 30 901820"),
        changed("contact/preferred_channel", "fax"),
        changed("contact/name", " "),
        changed("contact/age", 7),
        changed("request/starts_on", "2026-02-30"),
        changed("request/headcount", 0),
        changed("request/headcount", "7"),
        changed("request/details", "\n"),
        changed("request/location/state", "OK"),
        changed("request/location/postal_code", "787"),
        changed("consent/0/text_sha256", "0"),
        changed("consent/0/at", "2026-01-28"),
        changed("consent/0/granted", 1),
        changed("contact", None),
    ],
)
def test_both_answer_alike(servers: dict[str, Server], document: dict[str, Any]) -> None:
    answers = {name: post(server, document)[0] for name, server in servers.items()}
    assert answers["FastAPI"] == answers["ours"]
    assert answers["ours"] in {202, 422}


def test_both_store_the_same_row_and_queue_it(servers: dict[str, Server]) -> None:
    found = {}
    for name, server in servers.items():
        status, body = post(server, VALID)
        assert status == 202
        assert server.database
        with psycopg.connect(server.database.owner_url) as connection:
            found[name] = connection.execute(f"{ROW} WHERE intake_id = %s", [body["intake_id"]]).fetchone()
            queued = connection.execute("SELECT 1 FROM app.intake_queue WHERE intake_id = %s", [body["intake_id"]])
            assert queued.fetchone() == (1,)
    assert found["FastAPI"] == found["ours"]


def test_both_replay_a_key_and_refuse_it_for_another_lead(servers: dict[str, Server]) -> None:
    for server in servers.values():
        key = uuid4().hex
        first = post(server, VALID, key=key)
        assert post(server, VALID, key=key) == first
        assert post(server, changed("request/headcount", 9), key=key)[0] == 422


def test_both_refuse_a_key_that_was_never_issued(servers: dict[str, Server]) -> None:
    assert {post(server, VALID, api_key=server.key + "0")[0] for server in servers.values()} == {401}
