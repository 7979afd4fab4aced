"""The route for browsers: our own site's forms become leads, and the edge alone has the key."""

# More than a minute: the key is rotated under traffic, and pages run again and again.

import http.client
import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from deploys.kit.secrets import Vault
from deploys.services.leadgen import api_keys
from leadgen.domain import api_key
from tests import company_payloads
from tests.lab.certificates import EDGE
from tests.lab.deploying import EDGE_PAGES, deploy, deployed, everything, included, sentence, status
from tests.lab.edge import HEALTH, ask
from tests.lab.host import Host
from tests.lab.load import connect, reckon, sql

ROUTE = "/api/lead-intake"
DRY = f"{ROUTE}?validate=only"
KEY_FILE = "/etc/nginx/motorcade/site-key.conf"
BURST = 10
PAGES = (*EDGE_PAGES, "plat_07a")
FORMS = {
    "the contact form": (company_payloads.CONTACT_FORM, {"assumed_state"}),
    "the assessment form": (company_payloads.ASSESSMENT_FORM, {"assumed_state", "service_unmapped"}),
    "the outbox check": (company_payloads.OUTBOX_CHECK, set()),
    "the smoke test": (company_payloads.SMOKE, set()),
}
# Each caller has an address of its own, as the limit counts by address.
ADDRESSES = range(120, 250)
_callers = itertools.cycle(ADDRESSES)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def problem(self) -> str:
        """The slug of the problem, with its code."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.document["status"] == self.status
        assert self.document["request_id"] == self.headers["x-request-id"]
        return f"{self.document['type'].rpartition('/')[2]} {self.document['code']}"


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    platform.network.open_addresses(ADDRESSES)
    return platform


def send(
    host: Host,
    path: str = ROUTE,
    body: object = None,
    caller: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One form from a caller, or from the next one."""
    (source,) = host.network.addresses(range(number := caller or next(_callers), number + 1))
    given = {"Content-Type": "application/json", **(headers or {})}
    text = json.dumps(body or company_payloads.CONTACT_FORM)
    with closing(connect(host, source)) as connection:
        connection.request("POST", path, text, given)
        response = connection.getresponse()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read().decode(),
        )


@pytest.mark.parametrize(("body", "flags"), FORMS.values(), ids=list(FORMS))
def test_what_the_company_s_pages_send_becomes_a_lead_of_the_site(
    host: Host, body: dict[str, Any], flags: set[str]
) -> None:
    answer = send(host, body=body, headers={"Origin": f"https://{EDGE}", "Sec-Fetch-Site": "same-origin"})
    assert answer.status == 202, answer.text
    assert flags <= set(answer.document.get("flags", []))
    found = answer.document["intake_id"]
    assert answer.headers["location"] == f"https://{EDGE}/api/lead/intake/{found}"
    assert reckon(host, [found]) == {"once": 1}
    columns = f"client_id, lead_source, flags @> '{{{','.join(flags)}}}'"
    row = sql(host, f"SELECT {columns} FROM app.leads WHERE intake_id = '{found}'")
    assert row == f"site|{EDGE}|t"


def test_a_form_that_nobody_could_answer_is_refused(host: Host) -> None:
    answer = send(host, body=company_payloads.TEXAS_CHECK)
    assert (answer.status, answer.problem) == (422, "validation-failed VALIDATION_ERROR")


def test_a_retry_with_its_idempotency_key_is_the_same_lead(host: Host) -> None:
    first, second = (send(host, headers={"Idempotency-Key": "a-form-of-the-lab"}) for _ in range(2))
    assert (first.status, second.status) == (202, 202)
    assert first.text == second.text
    assert second.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "wrong"},
        {"Authorization": "Bearer wrong"},
        {"X-API-Key": "wrong", "Authorization": "Bearer other", "X-Lead-Source": "partner"},
    ],
    ids=["X-API-Key", "Authorization", "both and a source"],
)
def test_a_key_that_the_browser_sends_is_replaced(host: Host, headers: dict[str, str]) -> None:
    answer = send(host, headers=headers)
    assert answer.status == 202
    assert reckon(host, [answer.document["intake_id"]]) == {"once": 1}
    wanted = f"intake_id = '{answer.document['intake_id']}'"
    assert sql(host, f"SELECT client_id, lead_source FROM app.leads WHERE {wanted}") == f"site|{EDGE}"


def test_elsewhere_the_same_wrong_key_is_refused_and_a_flat_body_with_a_client_s_key_too(host: Host) -> None:
    assert send(host, "/api/lead/intake", headers={"X-API-Key": "wrong"}).status == 401
    key = (host.directory / "api-key").read_text(encoding="ascii").strip()
    assert send(host, "/api/lead/intake", headers={"X-API-Key": key}).status == 422


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_post_is_possible_and_no_other_site_may_read_an_answer(host: Host, method: str) -> None:
    answer = ask(host, ROUTE, method, Origin="https://elsewhere.example", Access_Control_Request_Method="POST")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["strict-transport-security"]
    assert [name for name in answer.headers if name.startswith("access-control")] == []
    if method != "HEAD":
        assert answer.problem["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("headers", "status_"),
    [
        ({"Origin": f"https://{EDGE}"}, 204),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 204),
        ({}, 204),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": f"https://www.{EDGE}", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://{EDGE}"}, 403),
    ],
    ids=str,
)
def test_a_page_of_another_site_is_refused(host: Host, headers: dict[str, str], status_: int) -> None:
    answer = send(host, DRY, headers=headers)
    assert answer.status == status_
    assert [name for name in answer.headers if name.startswith("access-control")] == []
    if status_ == 403:
        assert answer.problem == "from-another-site FORBIDDEN"


def test_a_body_over_64_kib_is_refused(host: Host) -> None:
    answer = send(host, body={**company_payloads.CONTACT_FORM, "message": "a" * 70_000})
    assert (answer.status, answer.problem) == (413, "body-too-large TOO_LARGE")


@pytest.mark.parametrize("path", [f"{ROUTE}/", f"{ROUTE}s", f"{ROUTE}/health"])
def test_the_path_is_exact(host: Host, path: str) -> None:
    assert send(host, path).status == 404


def test_who_sends_too_many_is_asked_to_wait_and_others_are_not(host: Host) -> None:
    caller = next(_callers)
    answers = [send(host, DRY, caller=caller) for _ in range(BURST + 5)]
    assert [answer.status for answer in answers[:BURST]] == [204] * BURST
    refused = answers[-1]
    assert (refused.status, refused.problem) == (429, "too-many-requests RATE_LIMITED")
    assert refused.headers["retry-after"] == "3"
    assert refused.headers["strict-transport-security"]
    assert send(host, DRY).status == 204


def test_the_limit_is_its_own(host: Host) -> None:
    caller = next(_callers)
    assert {send(host, DRY, caller=caller).status for _ in range(BURST + 5)} == {204, 429}
    with closing(connect(host, *host.network.addresses(range(caller, caller + 1)))) as connection:
        connection.request("GET", HEALTH)
        assert connection.getresponse().status == 200


def test_during_maintenance_it_is_closed_like_the_other_route(host: Host) -> None:
    host.root("touch /etc/motorcade/maintenance")
    closed = send(host, DRY)
    host.root("rm /etc/motorcade/maintenance")
    assert (closed.status, closed.problem) == (503, "unavailable QUEUE_UNAVAILABLE")
    assert closed.headers["retry-after"] == "10"
    assert send(host, DRY).status == 204


def test_only_root_and_nginx_can_read_the_key(host: Host) -> None:
    assert host.root(f"stat -c '%U %G %a' {KEY_FILE}").stdout.strip() == "root motorcade-edge 440"
    read = f"setpriv --reuid nobody --regid nogroup --clear-groups cat {KEY_FILE}"
    assert host.root(read, check=False).returncode != 0
    key = vault(host).reveal(api_keys.SITE)
    listed = host.root(
        "grep -rlFf - /etc /run/motorcade-nginx /var/lib/motorcade /var/log 2>/dev/null || true", given=f"{key}\n"
    )
    assert listed.stdout.split() == [KEY_FILE]


def test_a_second_run_changes_nothing(host: Host) -> None:
    assert included(host, PAGES).changed == 0
    assert deployed(host, "plat_07a").changes == []


def test_an_edit_of_the_key_by_hand_is_told_and_taken_back(host: Host) -> None:
    host.root(f"echo '# by hand' >>{KEY_FILE}")
    _, found = status(host)
    assert KEY_FILE in str(found)
    assert deployed(host, "plat_07a").changes
    assert KEY_FILE not in str(status(host)[1])
    assert send(host, DRY).status == 204


def test_without_a_key_in_the_vault_it_refuses_before_anything_is_touched(host: Host) -> None:
    file = vault(host).file(api_keys.SITE)
    kept, before = file.read_bytes(), everything(host)
    file.unlink()
    ended = deploy(host, "plat_07a")
    file.write_bytes(kept)
    assert ended.code == 1
    assert "no such file; enter what `leadgen keys new --client site` prints" in sentence(ended.output)
    assert everything(host) == before


def test_the_key_rotates_without_a_refused_form(host: Host) -> None:
    """As docs/runbooks/rotate-an-api-key.md says: the former line stays until the edge has the new key."""
    store = vault(host)
    clients = store.reveal(api_keys.KEYS)
    (former,) = re.findall(r"^\S+ site .*$", host.root(f"cat {api_keys.FILE}").stdout, re.MULTILINE)
    store.store(api_keys.SITE, api_key.mint("site", frozenset({"intake"}), None)[0])
    ended = deploy(host, "plat_07a")
    assert ended.code == 1
    assert "does not have the site's key of the vault; run deploys/leadgen_06.py first" in sentence(ended.output)
    store.store(api_keys.KEYS, f"{clients};{former}")
    with forms(host) as answers:
        deployed(host, "leadgen_06", "plat_07a")
        store.store(api_keys.KEYS, clients)
        deployed(host, "leadgen_06")
    assert len(answers) > 10
    assert set(answers) == {204}
    assert former not in host.root(f"cat {api_keys.FILE}").stdout
    assert included(host, PAGES).changed == 0


@contextmanager
def forms(host: Host) -> Iterator[list[int]]:
    """How forms are answered that people send during the block, one after the other."""
    answers: list[int] = []
    end = threading.Event()

    def run() -> None:
        while not end.wait(0.2):
            try:
                answers.append(send(host, DRY).status)
            except (OSError, http.client.HTTPException):
                answers.append(0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answers
    finally:
        end.set()
        thread.join()


def vault(host: Host) -> Vault:
    return Vault(host.directory / "secrets", host.directory / "identity.txt")
