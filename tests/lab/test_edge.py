"""The edge: what it speaks and refuses, and how it comes back."""

# More than a minute: the limits of a second are waited for between tests, and it is back after a power cut.

import json
import re
import socket
import subprocess
import time
from contextlib import suppress

import pytest

from deploys.services.leadgen import api_keys
from deploys.services.nginx import limits
from leadgen.domain import api_key
from tests.lab import edge
from tests.lab.certificates import EDGE
from tests.lab.command import until
from tests.lab.deploying import (
    EDGE_PAGES,
    NOTHING,
    included,
)
from tests.lab.edge import HEAD, HEALTH, INTAKE, MANY_HEADERS, TWO_LENGTHS, ask
from tests.lab.host import Host

API = "motorcade-leadgen-api"

CIPHERS = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
}

PUBLIC = {"0.0.0.0:22", "[::]:22", "0.0.0.0:80", "0.0.0.0:443"}


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    return platform


@pytest.fixture(autouse=True)
def _rested() -> None:
    """What one test has asked for is not held against the next: 20 at once, 10 a second."""
    time.sleep(2)


def test_it_passed_and_a_second_run_changes_nothing(host: Host) -> None:
    answer = ask(host, HEALTH)
    assert answer.status == 200
    assert json.loads(answer.body)["service"] == "leadgen"
    assert included(host, EDGE_PAGES).did == NOTHING


def test_only_its_ports_and_ssh_are_open_to_the_public(host: Host) -> None:
    lines = host.root("ss --no-header --listening --tcp --numeric").stdout.splitlines()
    listening = {line.split()[3] for line in lines}
    inside = {address for address in listening if address.startswith(("127.", "[::1]", "10.89.10.1:"))}
    assert listening - inside == PUBLIC


def test_its_units_have_few_rights(host: Host) -> None:
    for unit in ("nginx.service", "motorcade-nginx-logs.service"):
        said = host.root(f"systemd-analyze security --no-pager {unit}").stdout
        (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert float(score) <= 2.0, said
    users = set(host.root("ps -o user:20= -p $(pgrep -d , --cgroup /system.slice/nginx.service)").stdout.split())
    assert users == {"motorcade-edge"}
    key = host.root("stat -c '%U %a' /etc/ssl/motorcade/edge.key").stdout.strip()
    assert key == "root 600"


@pytest.mark.parametrize("version", ["1_2", "1_3"])
def test_it_speaks_the_present_versions_of_tls_without_tickets_that_outlive_it(host: Host, version: str) -> None:
    said = edge.handshake(host, f"-tls{version}", "-CAfile", str(host.directory / "ca.pem"))
    assert f"New, TLSv{version.replace('_', '.')}, Cipher is" in said
    assert "Verify return code: 0 (ok)" in said
    if version == "1_2":
        assert "TLS session ticket:" not in said


@pytest.mark.parametrize("version", ["1", "1_1"])
def test_it_refuses_the_old_versions_of_tls(host: Host, version: str) -> None:
    assert "alert protocol version" in edge.handshake(host, f"-tls{version}", "-cipher", "DEFAULT@SECLEVEL=0")


def test_it_takes_no_cipher_but_the_recommended(host: Host) -> None:
    words = "openssl ciphers -s -tls1_2 ALL:COMPLEMENTOFALL:@SECLEVEL=0".split()
    every = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip().split(":")
    others = ":".join(set(every) - CIPHERS)
    assert "handshake failure" in edge.handshake(host, "-tls1_2", "-cipher", f"{others}:@SECLEVEL=0")
    for cipher in sorted(name for name in CIPHERS if "ECDSA" in name):
        assert f"Cipher is {cipher}" in edge.handshake(host, "-tls1_2", "-cipher", cipher)


def test_a_foreign_name_gets_no_certificate_and_no_answer(host: Host) -> None:
    said = edge.handshake(host, name="elsewhere.example")
    assert "unrecognized name" in said
    assert "BEGIN CERTIFICATE" not in said
    assert ask(host, HEALTH, Host="elsewhere.example").status == 0
    assert edge.send(host, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", port=443).status == 0


def test_every_answer_has_the_security_headers_once_and_no_version(host: Host) -> None:
    for path in (HEALTH, "/metrics", "/api/lead/nothing"):
        headers = ask(host, path).headers
        assert headers["server"] == "nginx"
        assert headers["strict-transport-security"] == "max-age=63072000"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"]
        assert "via" not in headers
        assert "x-powered-by" not in headers


def test_health_from_outside_has_no_details(host: Host) -> None:
    answer = ask(host, HEALTH, X_Forwarded_Ssl="off", X_Forwarded_For="")
    assert (answer.status, set(json.loads(answer.body))) == (
        200,
        {"status", "service", "version", "queue", "db", "time_utc"},
    )


@pytest.mark.parametrize(
    "path",
    ["/", "/metrics", "/lead/health", "/api/lead", "/api/lead/../../metrics", "/api/lead/%2e%2e/metrics", "/.git"],
)
def test_what_is_not_routed_is_404(host: Host, path: str) -> None:
    answer = ask(host, path)
    assert answer.status == 404
    assert answer.problem["type"].endswith("/not-found")


def test_metrics_are_behind_a_key_of_their_own(host: Host) -> None:
    path, known = "/api/lead/metrics", (host.directory / "api-key").read_text(encoding="ascii").strip()
    assert ask(host, path).status == 401
    refused = ask(host, path, Authorization=f"Bearer {known}")
    assert (refused.status, refused.problem["type"].rpartition("/")[2]) == (403, "missing-scope")
    key, line = api_key.mint("prometheus", frozenset({"metrics"}), None)
    host.root(f"cp -p {api_keys.FILE} {api_keys.FILE}.lab && echo '{line}' >>{api_keys.FILE}")
    try:
        # Each process of the API reads the file at its own moment: the first 200 says nothing of the next answer.
        assert until(lambda: b"leadgen_backlog" in ask(host, path, Authorization=f"Bearer {key}").body, 15)
    finally:
        host.root(f"mv {api_keys.FILE}.lab {api_keys.FILE}")
    assert until(lambda: ask(host, path, Authorization=f"Bearer {key}").status == 401, 15)


def test_security_txt_says_where_to_report_a_problem(host: Host) -> None:
    answer = ask(host, "/.well-known/security.txt")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"
    fields = dict(line.split(": ", 1) for line in answer.body.decode().splitlines())
    assert fields == {
        "Contact": "mailto:security@motorcade.test",
        "Expires": "2099-01-01T00:00:00Z",
        "Canonical": f"https://{EDGE}/.well-known/security.txt",
    }
    assert ask(host, "/.well-known/security.txt", "POST", b"{}").status == 405


def test_port_80_sends_people_on_and_refuses_what_was_sent_in_the_clear(host: Host) -> None:
    for path in ("/", "/api/lead/docs?a=b"):
        assert ask(host, path, port=80).headers["location"] == f"https://{EDGE}{path}"
    for clear in (
        ask(host, INTAKE, "POST", b"{}", port=80),
        ask(host, f"{INTAKE}/1", port=80, Authorization="Bearer made-up"),
    ):
        assert clear.status == 403
        assert clear.problem["type"].endswith("/not-encrypted")


def test_http_spoken_to_the_port_of_https_is_refused_in_the_same_words(host: Host) -> None:
    with socket.create_connection((host.address, 443), 10) as plain:
        plain.sendall(f"POST {INTAKE} HTTP/1.1\r\nHost: {EDGE}\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: plain.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b'/not-encrypted"' in answer
    assert b"<html" not in answer


def test_who_asks_too_much_is_told_when_to_come_back(host: Host) -> None:
    with edge.traffic(host, clients=16, pause_seconds=0) as seen:
        time.sleep(3)
    assert {answer.status for answer in seen.answers} == {200, 429}
    refused = seen.failed[0]
    assert refused.headers["retry-after"] == "1"
    assert refused.problem["type"].endswith("/too-many-requests")


CLOSED = 0

BIG = 10 * 1024 * 1024


ABUSE = {
    "length and chunks": (TWO_LENGTHS, 400),
    "two lengths": (HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n12345", 400),
    "odd encoding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 400),
    "no chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "a long header": (HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n", 400),
    "many headers": (MANY_HEADERS, 400),
    "a long address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", CLOSED),
    "no http": (b"\x16\x03\x01 nothing\r\n\r\n", 400),
    "10 MB": (HEAD + b"Content-Length: %d\r\n\r\n" % BIG + b"a" * BIG, 413),
    "10 MB in chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % BIG + b"a" * BIG, 413),
}


@pytest.mark.parametrize(("data", "status"), ABUSE.values(), ids=list(ABUSE))
def test_a_request_that_is_wrong_gets_a_clean_refusal(host: Host, data: bytes, status: int) -> None:
    answer = edge.send(host, data)
    assert answer.status == status
    if status != CLOSED:
        assert answer.problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("start", "bound"),
    [(b"GET / HTTP/1.1\r\nX: ", 8), (HEAD + b"Content-Length: 1000\r\n\r\n{", 12)],
    ids=["headers", "body"],
)
def test_who_sends_slowly_is_closed_within_the_bound(host: Host, start: bytes, bound: float) -> None:
    begin = time.monotonic()
    with edge.connect(host) as client:
        client.sendall(start)
        client.settimeout(bound + 10)
        with suppress(ConnectionResetError):  # as clean an end as the other one
            assert client.recv(1) == b""
    assert 3 < time.monotonic() - begin < bound


def test_without_the_intake_the_edge_answers_for_it(host: Host) -> None:
    host.root(f"systemctl stop {API}.socket {API}.service", seconds=60)
    gone = ask(host, HEALTH)
    host.root(f"systemctl start {API}.socket {API}.service", seconds=60)
    assert gone.status == 503
    assert gone.problem["type"].endswith("/unavailable")
    assert gone.headers["retry-after"] == "10"
    assert gone.problem["request_id"] == gone.headers["x-request-id"]
    assert until(lambda: ask(host, HEALTH).status == 200, 30)


def test_its_log_has_no_query_and_no_address_and_is_bounded(host: Host) -> None:
    answer = ask(host, f"{HEALTH}?email=ada@example.com")
    log = "/var/log/motorcade/nginx"
    assert until(lambda: answer.headers["x-request-id"] in host.root(f"tail -n 20 {log}/access.log").stdout, 30)
    text = host.root(f"cat {log}/*.log").stdout
    mine = next(line for line in text.splitlines() if answer.headers["x-request-id"] in line)
    assert json.loads(mine)["path"] == HEALTH
    assert "ada@example.com" not in text
    assert host.network.gateway not in text
    host.root(f"truncate -s 17M {log}/access.log; systemctl start motorcade-nginx-logs.service")
    assert host.root(f"stat -c %s {log}/access.log.1").stdout.strip() == str(17 * 1024 * 1024)
    later = []

    def begins_again() -> bool:
        """What is asked before nginx has opened the new file is in the old one."""
        later.append(ask(host, HEALTH).headers["x-request-id"])
        text = host.root(f"cat {log}/access.log").stdout
        return any(each in text for each in later)

    assert until(begins_again, 30)


def test_a_look_by_root_while_it_is_stopped_does_not_keep_it_from_starting(host: Host) -> None:
    host.root("systemctl stop nginx; nginx -t; systemctl start nginx")
    assert until(lambda: well(host), 10)


def test_killed_and_after_a_power_cut_it_is_back(host: Host) -> None:
    host.root("systemctl kill --signal=KILL nginx")
    assert until(lambda: well(host), 10)
    host.power_off()
    host.boot()
    assert until(lambda: well(host), 60)
    host.root(limits.LOADED)
    assert included(host, EDGE_PAGES).did == NOTHING


def well(host: Host) -> bool:
    with suppress(OSError):
        return ask(host, HEALTH).status == 200
    return False
