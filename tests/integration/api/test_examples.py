"""The programs in docs/leadgen/examples, as a web developer copies them, against the API and against faults."""

import ast
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from leadgen.dev.ports import free_port
from leadgen.dev.postgres import EmbeddedPostgres
from leadgen.dev.redis import OPERATOR, EmbeddedRedis
from leadgen.domain import api_key
from tests.conftest import TEMPLATE, make_database
from tests.integration.api.fault_server import FaultServer, Held, LostAnswer, Refusal, in_front_of
from tests.integration.service import until
from tests.integration.stack import Stack, make_stack

EXAMPLES = Path(__file__).parents[3] / "docs" / "leadgen" / "examples"
LEAD = (EXAMPLES / "lead.json").read_bytes()
COMMANDS: dict[str, list[str | Path]] = {
    "send-lead.sh": ["/bin/sh", EXAMPLES / "send-lead.sh"],
    "send_lead.py": [sys.executable, EXAMPLES / "send_lead.py"],
    "send-lead.php": ["php", EXAMPLES / "send-lead.php"],
}
NEEDS = {"send-lead.sh": "curl", "send_lead.py": sys.executable, "send-lead.php": "php"}
ENDS_SECONDS = 60  # what the examples promise


@dataclass
class Result:
    """How a run ended."""

    code: int
    said: str
    complaint: str


class Sender:
    """One of the examples, with its own key file."""

    def __init__(self, command: list[str | Path], directory: Path, key: str) -> None:
        self._command = command
        self._directory = directory
        self._key_file = directory / "api-key"
        self.name_key(key)

    def name_key(self, key: str) -> None:
        self.write_key_file(f"{key}\n".encode())

    def write_key_file(self, content: bytes) -> None:
        self._key_file.write_bytes(content)

    def start(
        self, server: FaultServer | int, *words: str, lead: bytes = LEAD, scheme: str = "http", **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start it on a server, or on the port of one that is not there yet."""
        port = server if isinstance(server, int) else server.server_port
        (self._directory / "lead.json").write_bytes(lead)
        with (
            (self._directory / "lead.json").open("rb") as given,
            (self._directory / "said").open("wb") as said,
            (self._directory / "complaint").open("wb") as complaint,
        ):
            return subprocess.Popen(
                [*self._command, *words],
                env={
                    "PATH": os.environ["PATH"],
                    "LEAD_URL": f"{scheme}://127.0.0.1:{port}/lead/intake",
                    "LEAD_KEY_FILE": str(self._key_file),
                }
                | settings,
                stdin=given,
                stdout=said,
                stderr=complaint,
            )

    @property
    def complaint(self) -> str:
        return (self._directory / "complaint").read_text(encoding="utf-8")

    def end(self, process: subprocess.Popen[bytes]) -> Result:
        try:
            code = process.wait(ENDS_SECONDS)
        finally:
            process.kill()
        return Result(code, (self._directory / "said").read_text(encoding="utf-8"), self.complaint)

    def send(
        self, server: FaultServer | int, *words: str, lead: bytes = LEAD, scheme: str = "http", **settings: str
    ) -> Result:
        return self.end(self.start(server, *words, lead=lead, scheme=scheme, **settings))


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres, redis_server: EmbeddedRedis
) -> Iterator[Stack]:
    """The real API, served once for all of these tests: each looks at its own Idempotency-Keys only."""
    directory = tmp_path_factory.mktemp("api")
    stack = make_stack(directory, make_database(postgres_server, TEMPLATE), redis_server.url(OPERATOR))
    with stack.serve():
        yield stack


@pytest.fixture(params=COMMANDS)
def sender(request: pytest.FixtureRequest, tmp_path: Path, api: Stack) -> Sender:
    if not shutil.which(NEEDS[request.param]):
        pytest.skip(f"{NEEDS[request.param]} is not installed")
    return Sender(COMMANDS[request.param], tmp_path, api.key)


@pytest.fixture
def stored(api: Stack) -> Callable[[str], list[str]]:
    """The intakes with an Idempotency-Key."""

    def find(key: str) -> list[str]:
        with psycopg.connect(api.database.superuser_url) as connection:
            rows = connection.execute(
                "SELECT intake_id::text FROM app.intake_jobs WHERE idempotency_key = %s", [key]
            )
            return [row[0] for row in rows]

    return find


def keys_of(server: FaultServer) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in server.requests]


def test_a_lead_is_accepted_and_its_intake_id_printed(
    sender: Sender, api: Stack, stored: Callable[[str], list[str]]
) -> None:
    with in_front_of(api.port) as server:
        result = sender.send(server)
    assert (result.code, result.complaint) == (0, "")
    assert result.said == f"{UUID(result.said.strip())}\n"
    assert stored(*keys_of(server)) == [result.said.strip()]
    assert json.loads(server.requests[0].body) == json.loads(LEAD)
    assert server.requests[0].headers["X-API-Key"] == api.key
    assert server.requests[0].headers["X-Lead-Source"] == "motorcade.vip"
    assert server.requests[0].headers["Prefer"] == "handling=strict"


def test_every_run_makes_its_own_key(sender: Sender, api: Stack) -> None:
    with in_front_of(api.port) as server:
        results = [sender.send(server) for _ in range(2)]
    assert [result.code for result in results] == [0, 0]
    assert len(set(keys_of(server))) == len({result.said for result in results}) == 2


def test_a_run_that_repeats_a_key_gives_the_same_intake(
    sender: Sender, api: Stack, stored: Callable[[str], list[str]]
) -> None:
    key = str(uuid4())
    results = [sender.send(api.port, key) for _ in range(2)]
    assert [result.code for result in results] == [0, 0]
    assert [result.said.strip() for result in results] == stored(key) * 2


def test_what_passes_is_tried_again_with_the_same_key_until_it_is_over(
    sender: Sender, api: Stack, stored: Callable[[str], list[str]]
) -> None:
    statuses = [503, 500, 429, 409]
    with in_front_of(api.port, *[Refusal(status, {"Retry-After": "1"}) for status in statuses]) as server:
        result = sender.send(server)
    assert result.code == 0
    assert len(server.requests) == 5
    assert {request.body for request in server.requests} == {server.requests[0].body}
    assert [stored(key) for key in set(keys_of(server))] == [[result.said.strip()]]
    assert [f"HTTP {status}" in result.complaint for status in statuses] == [True] * 4


def test_an_answer_that_got_lost_is_asked_for_again_and_the_lead_is_stored_once(
    sender: Sender, api: Stack, stored: Callable[[str], list[str]]
) -> None:
    with in_front_of(api.port, LostAnswer()) as server:
        result = sender.send(server)
    assert result.code == 0
    assert len(server.requests) == 2
    assert [stored(key) for key in set(keys_of(server))] == [[result.said.strip()]]


def test_no_answer_in_time_is_a_reason_to_try_again(
    sender: Sender, api: Stack, stored: Callable[[str], list[str]]
) -> None:
    silent = Held()
    with in_front_of(api.port, silent) as server:
        result = sender.send(server)
        silent.released.set()
    assert result.code == 0
    assert len(server.requests) == 2
    assert [stored(key) for key in set(keys_of(server))] == [[result.said.strip()]]


def test_a_server_that_is_not_there_yet_is_waited_for(sender: Sender, api: Stack) -> None:
    port = free_port()
    process = sender.start(port)
    assert until(lambda: "again in 2 s" in sender.complaint), sender.complaint
    with in_front_of(api.port, port=port) as server:
        assert sender.end(process).code == 0
    assert len(server.requests) == 1


def test_retry_after_is_waited_for(sender: Sender, api: Stack) -> None:
    with in_front_of(api.port, Refusal(503, {"Retry-After": "3"})) as server:
        result = sender.send(server)
    assert result.code == 0
    assert server.waits[0] >= 3  # without the header it would be 2
    assert "again in 3 s" in result.complaint


def test_a_retry_after_beyond_a_minute_ends_the_run_and_names_the_key_to_repeat(
    sender: Sender, api: Stack
) -> None:
    with in_front_of(api.port, Refusal(429, {"Retry-After": "120"})) as server:
        result = sender.send(server)
    assert (result.code, result.said) == (1, "")
    assert "HTTP 429" in result.complaint
    assert f"; send the same lead again later, with the same key: {keys_of(server)[0]}\n" in result.complaint


def test_five_tries_are_enough(sender: Sender, api: Stack) -> None:
    with in_front_of(api.port, *[Refusal(503, {"Retry-After": "1"})] * 6) as server:
        result = sender.send(server)
    assert (result.code, result.said, len(server.requests)) == (1, "", 5)
    assert f"with the same key: {keys_of(server)[0]}\n" in result.complaint


def test_what_is_wrong_with_a_lead_is_shown_with_its_place_and_not_tried_again(sender: Sender, api: Stack) -> None:
    wrong = json.loads(LEAD)
    del wrong["contact"]["full_name"]
    wrong["request"]["servce_type"] = "event_security"
    with in_front_of(api.port) as server:
        result = sender.send(server, lead=json.dumps(wrong).encode())
    assert (result.code, result.said, len(server.requests)) == (1, "", 1)
    for expected in ("HTTP 422", "/contact/full_name", "/request/servce_type", "This field is unknown."):
        assert expected in result.complaint


def test_a_key_that_another_lead_has_is_reported_and_not_retried(sender: Sender, api: Stack) -> None:
    key = str(uuid4())
    assert sender.send(api.port, key).code == 0
    with in_front_of(api.port) as server:
        result = sender.send(server, key, lead=LEAD.replace(b"Maria Lopez", b"Mario Lopez"))
    assert (result.code, result.said, len(server.requests)) == (1, "", 1)
    assert "HTTP 409" in result.complaint


def test_a_wrong_key_is_reported_and_not_retried(sender: Sender, api: Stack) -> None:
    sender.name_key(api_key.mint("wordpress", frozenset({"intake"}), None)[0])
    with in_front_of(api.port) as server:
        result = sender.send(server)
    assert (result.code, result.said, len(server.requests)) == (1, "", 1)
    assert "HTTP 401" in result.complaint
    assert "API key" in result.complaint


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"intake_id": null}'])
def test_a_202_that_is_not_from_the_intake_is_no_success(sender: Sender, api: Stack, body: bytes) -> None:
    with in_front_of(api.port, Refusal(202, body=body)) as server:
        result = sender.send(server)
    assert (result.code, result.said, len(server.requests)) == (1, "", 1)
    assert "HTTP 202 without an intake_id, so it is not from the intake" in result.complaint
    assert f"with the same key: {keys_of(server)[0]}\n" in result.complaint


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"errors": 1}', b'"down"'])
def test_a_problem_that_is_not_from_the_intake_is_shown_by_its_status(
    sender: Sender, api: Stack, body: bytes
) -> None:
    kind = {"Content-Type": "application/problem+json"}
    with in_front_of(api.port, Refusal(502, kind, body)) as server:
        assert sender.send(server).code == 0
    with in_front_of(api.port, Refusal(400, kind, body)) as server:
        result = sender.send(server)
    assert (result.code, result.said, len(server.requests)) == (1, "", 1)
    assert "HTTP 400" in result.complaint
    for word in ("Traceback", "Warning", "Fatal"):
        assert word not in result.complaint


def test_the_query_of_the_address_is_sent_and_a_validation_is_no_success(
    sender: Sender, api: Stack, stored: Callable[[str], list[str]]
) -> None:
    key = str(uuid4())
    result = sender.send(api.port, key, LEAD_URL=f"http://127.0.0.1:{api.port}/lead/intake?validate=only")
    assert (result.code, result.said, stored(key)) == (1, "", [])
    assert "HTTP 204" in result.complaint


def test_a_redirect_is_not_followed_as_the_key_would_go_with_it(sender: Sender, api: Stack) -> None:
    with in_front_of(api.port) as elsewhere:
        moved = Refusal(307, {"Location": f"http://127.0.0.1:{elsewhere.server_port}/lead/intake"})
        with in_front_of(api.port, moved) as server:
            result = sender.send(server)
    assert (result.code, result.said, elsewhere.requests) == (1, "", [])
    assert "HTTP 307" in result.complaint


def test_an_address_without_tls_gets_neither_lead_nor_key(sender: Sender, api: Stack) -> None:
    with in_front_of(api.port) as server:
        result = sender.send(server, LEAD_URL=f"http://localhost:{server.server_port}/lead/intake")
    assert (result.code, server.requests) == (1, [])
    assert "LEAD_URL: not an https URL" in result.complaint


def test_a_key_file_that_is_not_there_is_named(sender: Sender, api: Stack, tmp_path: Path) -> None:
    with in_front_of(api.port) as server:
        result = sender.send(server, LEAD_KEY_FILE=str(tmp_path / "none"))
    assert (result.code, server.requests) == (1, [])
    assert "LEAD_KEY_FILE" in result.complaint or str(tmp_path / "none") in result.complaint


@pytest.mark.parametrize("content", ["", "\n", "{key}\rX-Evil: 1", "{key}\nX-Evil: 1", "two words", "{key}ü"])
def test_a_file_without_one_key_is_refused_unsent_and_unshown(sender: Sender, api: Stack, content: str) -> None:
    sender.write_key_file(content.replace("{key}", api.key).encode())
    with in_front_of(api.port) as server:
        result = sender.send(server)
    assert (result.code, result.said, server.requests) == (1, "", [])
    assert "LEAD_KEY_FILE: not one line of visible ASCII; put one API key, and nothing" in result.complaint
    assert api.key not in result.complaint


@pytest.mark.parametrize("key", ["", " ", "one\nX-Evil: 1", "one\r", "two words", "ü"])
def test_an_idempotency_key_that_is_none_is_refused_unsent(sender: Sender, api: Stack, key: str) -> None:
    with in_front_of(api.port) as server:
        result = sender.send(server, key)
    assert (result.code, result.said, server.requests) == (1, "", [])
    assert "IDEMPOTENCY_KEY: not one word of visible ASCII; leave it out to send a new lead" in result.complaint


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_what_an_editor_adds_to_a_file_is_not_sent(sender: Sender, api: Stack, end: bytes) -> None:
    bom = b"\xef\xbb\xbf"
    sender.write_key_file(bom + api.key.encode() + end)
    with in_front_of(api.port) as server:
        result = sender.send(server, lead=bom + LEAD)
    assert (result.code, result.complaint) == (0, "")
    assert [(request.headers["X-API-Key"], request.body) for request in server.requests] == [(api.key, LEAD)]


def test_the_api_key_is_not_in_the_process_list(sender: Sender, api: Stack) -> None:
    held = Held()
    key = str(uuid4())
    seen = set()
    with in_front_of(api.port, held) as server:
        process = sender.start(server, key)
        end = time.monotonic() + ENDS_SECONDS
        while not held.came.is_set() and time.monotonic() < end:
            seen |= command_lines()
        seen |= command_lines()
        held.released.set()
        assert sender.end(process).code == 0
    assert [line for line in seen if key in line]  # the run itself was seen
    assert [line for line in seen if api.key in line] == []


def command_lines() -> set[str]:
    """The arguments of every process of this machine."""
    lines = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.add(file.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended meanwhile
            continue
    return lines


@pytest.fixture(scope="module")
def edge_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, and its private key beside it as `key.pem`."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, SHA256())
    )
    directory = tmp_path_factory.mktemp("edge")
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "key.pem").write_bytes(pem)
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return directory / "certificate.pem"


@pytest.fixture
def tls(edge_certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(edge_certificate, edge_certificate.with_name("key.pem"))
    return context


def test_an_edge_with_its_own_ca_is_trusted_when_that_is_named(
    sender: Sender, api: Stack, tls: ssl.SSLContext, edge_certificate: Path
) -> None:
    with in_front_of(api.port, tls=tls) as server:
        result = sender.send(server, scheme="https", LEAD_CA_FILE=str(edge_certificate))
    assert (result.code, result.complaint) == (0, "")


def test_an_untrusted_edge_gets_neither_lead_nor_key(sender: Sender, api: Stack, tls: ssl.SSLContext) -> None:
    with in_front_of(api.port, tls=tls) as server:
        result = sender.send(server, scheme="https")
    assert (result.code, result.said, server.requests) == (1, "", [])
    assert "certificate" in result.complaint
    assert "again in" not in result.complaint


def test_the_python_example_is_python_3_9_and_imports_the_standard_library_only() -> None:
    tree = ast.parse((EXAMPLES / "send_lead.py").read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "http.client" in imported
    assert {name.split(".")[0] for name in imported} - sys.stdlib_module_names == set()


def test_every_example_is_run_here_and_named_by_the_page() -> None:
    files = {file.name for file in EXAMPLES.iterdir()}
    page = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert files == {"lead.json", *COMMANDS}
    assert {file for file in files if f"(examples/{file})" not in page} == set()
