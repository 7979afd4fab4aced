"""The pages: each type of problem leads to one, nothing on them comes from elsewhere, they show the contract."""

import json
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from leadgen.api.app import create_app
from leadgen.api.flags import FLAGS, entry_of
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


README = Path(__file__).parents[3] / "docs/leadgen/README.md"
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
    assert "<dt><code>contact.<wbr>preferred_<wbr>contact_<wbr>method</code></dt>" in page
    assert "<code>Idempotency-<wbr>Key</code>" in page
    assert "</span>/<wbr>lead/<wbr>intake/<wbr>{intake_<wbr>id}</code>" in page


@pytest.mark.parametrize("path", PAGES)
def test_every_link_within_a_page_leads_to_a_place_on_it(client: FlaskClient, path: str) -> None:
    page = client.get(path).text
    places = re.findall(r' id="([^"]+)"', page)
    assert len(set(places)) == len(places)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)


def test_the_contents_of_the_docs_are_its_headings(client: FlaskClient) -> None:
    contents, main = client.get("/lead/docs").text.split("</nav>")[1:]
    listed = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', contents)
    assert listed == re.findall(r'<h2 id="([^"]+)">([^<]+)</h2>', main)
    assert len(listed) == 9


def test_the_docs_explain_every_flag_that_the_table_of_leniency_has(client: FlaskClient) -> None:
    page = unescape(client.get("/lead/docs").text.replace("<wbr>", ""))
    flags = page.partition('<h2 id="flags">')[2].partition("<h2")[0]
    assert re.findall(r"<dt><code>([^ ]+)</code></dt>", flags) == list(FLAGS)
    table = README.read_text().partition("| given | what becomes of it | flag |")[2].partition("## Strict mode")[0]
    named = set(re.findall(r"`([a-z_]+)` *[,|]", table)) | {"assumed_state", "service_unmapped", "honeypot_filled"}
    named = {name for name in named if name in FLAGS or name.endswith(("_unreadable", "_cut"))}
    assert {entry_of(name) for name in named} == set(FLAGS)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host"])
def test_what_a_reader_sends_as_host_is_not_shown(client: FlaskClient, path: str, name: str) -> None:
    assert "evil.example" not in client.get(path, headers={name: "evil.example"}).text
    assert client.get(path, headers={name: "evil.example"}).text == client.get(path).text


def test_the_docs_show_a_command_for_the_address_that_the_settings_name(client: FlaskClient) -> None:
    assert "curl -i http://127.0.0.1:8000/lead/intake" in client.get("/lead/docs").text


def test_the_command_of_the_docs_has_a_new_key_for_each_submission(client: FlaskClient) -> None:
    command = unescape(re.findall(r"<pre[^>]*>(.*?)</pre>", client.get("/lead/docs").text, re.DOTALL)[0])
    make_key, _, send = command.partition("\n\n")
    asked = f"curl() {{ printf '%s\\n' \"$@\"; }}\n{make_key}\n{send}\n{send}\n{make_key}\n{send}"
    done = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=True)
    first, retry, other = re.findall(r"^Idempotency-Key: (.+)$", done.stdout, re.MULTILINE)
    assert str(UUID(first)) == first == retry != other
    assert done.stderr == ""


def test_the_docs_show_all_of_the_answer_to_a_lead(client: FlaskClient) -> None:
    page = client.get("/lead/docs").text
    answer = page[page.index("The submission is stored.") :].partition("</dl>")[0].replace("<wbr>", "")
    for text in ("Location", "Idempotency-Replayed", "X-Request-Id", "intake_id", "request_id", "status"):
        assert f"<code>{text}</code>" in answer


@pytest.mark.parametrize("path", ["/lead/docs", "/lead/problems/not-found"])
def test_what_may_scroll_takes_the_focus_and_has_a_name(client: FlaskClient, path: str) -> None:
    (area,) = re.findall(r"<pre([^>]*)>", client.get(path).text)
    assert re.fullmatch(r' role="region" tabindex="0" aria-label="[^"]+"', area)


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
