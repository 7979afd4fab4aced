"""The pages: each type of problem leads to one, nothing on them comes from elsewhere, they show the contract."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from leadgen.api.app import create_app
from leadgen.api.problems import CATALOGUE
from leadgen.api.services import services
from leadgen.config import Config
from leadgen.domain.api_key import mint


class SilentDoorbell:
    def ring(self) -> None: ...

    def status(self) -> dict[str, str]:
        return {"redis": "down", "worker": "down"}

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The application without a database, which the pages do not need."""
    keys = tmp_path_factory.mktemp("keys") / "api-keys"
    keys.write_text(mint("wordpress", frozenset({"intake"}), None)[1])
    config = Config(
        database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="redis://127.0.0.1:1", api_keys_file=keys
    )
    app = create_app(config, SilentDoorbell())
    yield app.test_client()
    with app.app_context():
        services().close()


PAGES = ["/lead/docs", "/lead/docs/", "/lead/problems", "/lead/problems/", "/lead/problems/not-found"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_carries_a_policy_that_forbids_everything_but_our_style(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (200, "text/html")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|\son\w+=|style=|<style", response.text)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_to_something_of_ours(client: FlaskClient, path: str) -> None:
    links = re.findall(r'(?:href|src)="([^"]+)"', client.get(path).text)
    assert len(links) >= 4
    for link in links:
        with client.get(urljoin(path, link)) as response:
            assert response.status_code == 200, link


@pytest.mark.parametrize("slug", CATALOGUE)
def test_the_type_of_a_problem_is_a_page_with_its_words(client: FlaskClient, slug: str) -> None:
    page = unescape(re.sub("</?code>", "`", client.get(f"/lead/problems/{slug}").text))
    kind = CATALOGUE[slug]
    for words in (kind.title, kind.meaning, kind.remedy, str(kind.status), f'"type": "/lead/problems/{slug}"'):
        assert words in page


def test_a_page_of_an_unknown_problem_is_a_problem(client: FlaskClient) -> None:
    response = client.get("/lead/problems/nothing")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_the_docs_show_every_member_and_every_route(client: FlaskClient) -> None:
    page = client.get("/lead/docs").text.replace("<wbr>", "")
    for text in ("contact.preferred_contact_method", "consent[].text_sha256", "event_security", "Idempotency-Key"):
        assert text in page
    for route in ("/lead/intake", "/lead/intake/{intake_id}", "/lead/health", "/lead/ready", "/lead/version"):
        assert f"</span>{route}</code>" in page


def test_the_name_of_a_field_breaks_between_its_words(client: FlaskClient) -> None:
    page = client.get("/lead/docs").text
    assert "<td><code>contact.<wbr>preferred_<wbr>contact_<wbr>method</code></td>" in page
    assert "<td><code>Idempotency-<wbr>Key</code></td>" in page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host"])
def test_what_a_reader_sends_as_host_is_not_shown(client: FlaskClient, path: str, name: str) -> None:
    assert "evil.example" not in client.get(path, headers={name: "evil.example"}).text
    assert client.get(path, headers={name: "evil.example"}).text == client.get(path).text


def test_the_docs_show_a_command_for_the_address_that_the_settings_name(client: FlaskClient) -> None:
    assert "curl http://127.0.0.1:8000/lead/intake" in client.get("/lead/docs").text


def test_the_docs_show_all_of_the_answer_to_a_lead(client: FlaskClient) -> None:
    page = client.get("/lead/docs").text
    row = page[page.index("The submission is stored.") :].partition("</tr>")[0]
    for text in ("Location", "Idempotency-Replayed", "X-Request-Id", "intake_id", "request_id", "status"):
        assert f"<code>{text}</code>" in row


@pytest.mark.parametrize(("path", "number"), [("/lead/docs", 8), ("/lead/problems/not-found", 1)])
def test_what_may_scroll_takes_the_focus_and_has_a_name_of_its_own(
    client: FlaskClient, path: str, number: int
) -> None:
    page = client.get(path).text
    areas = re.findall(r'<(?:pre|div class="table")([^>]*)>', page)
    names = re.findall(r' role="region" tabindex="0" aria-label="([^"]+)"', "".join(areas))
    assert len(areas) >= number
    assert len(set(names)) == len(areas)


def test_the_openapi_document_is_served_as_json(client: FlaskClient) -> None:
    response = client.get("/lead/openapi.json")
    assert response.mimetype == "application/json"
    assert json.loads(response.data)["openapi"] == "3.1.0"


def test_nothing_in_the_shipped_files_is_fetched_from_elsewhere() -> None:
    api = Path(create_app.__code__.co_filename).parent
    files = [*api.glob("templates/*.html"), *api.glob("static/*")]
    assert len(files) >= 5
    for file in files:
        assert "//" not in file.read_text(encoding="utf-8").replace("://", ""), file
        assert "http" not in file.read_text(encoding="utf-8"), file
