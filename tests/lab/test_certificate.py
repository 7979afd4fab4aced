"""The edge's certificate by ACME, against a real server: issued, renewed, and what goes wrong on the way."""

# More than a minute: a certificate has to become due four times.

import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploys.services.alerts import alerts
from deploys.services.certificate import certificate
from deploys.services.nginx import nginx
from tests.lab import acme, edge
from tests.lab.certificates import EDGE, FOLDER
from tests.lab.deploying import NOTHING, deploy, deployed, sentence, status
from tests.lab.edge import ask
from tests.lab.host import Host

SHORT = {
    "certificate_directory": acme.DIRECTORY,
    "certificate_contact": "security@motorcade.test",
    "certificate_ca_file": "/etc/ssl/motorcade/ca.pem",
    "certificate_profile": "shortlived",
    "expiry_days": "2",  # one of six days would always be about to end
}
BRIEF = {**SHORT, "certificate_profile": "brief"}
DUE_SECONDS = acme.PROFILES["brief"] / 2 + 1
BUSY_PORT = acme.PORT + 1
LIVE = f"{certificate.STATE}/config/live/*/"
PROGRAM = f"{certificate.PROGRAMS}/certificate-install"
MADE = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN={EDGE}"
NEW_PAIR = (
    f"cd {LIVE} && {MADE} -addext subjectAltName=DNS:{{}} {{}} -keyout privkey.pem -out leaf"
    " && cat leaf leaf >fullchain.pem"
)
# What is done to the pair that was issued -> why it is not used.
SPOILED = {
    "half a key": (f"cd {LIVE} && head -c 100 privkey.pem >half && cat half >privkey.pem", "does not fit"),
    "half a certificate": (
        f"cd {LIVE} && head -c 300 fullchain.pem >half && cat half >fullchain.pem",
        "begin with",
    ),
    "half a chain": (
        f"cd {LIVE} && head -n -5 fullchain.pem >half && cat half >fullchain.pem",
        "does not lead beyond",
    ),
    "another name": (NEW_PAIR.format("elsewhere.test", ""), "for another name"),
    "a clock that is behind": (
        NEW_PAIR.format(EDGE, "-not_before 20980101000000Z -not_after 20990101000000Z"),
        "begins in the future",
    ),
    "a clock that is ahead": (
        NEW_PAIR.format(EDGE, "-not_before 20200101000000Z -not_after 20210101000000Z"),
        "has expired",
    ),
}


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    return platform


@pytest.fixture(scope="module")
def server(host: Host) -> Iterator[acme.Server]:
    if reason := acme.missing():
        pytest.skip(f"no ACME server here: {reason}")
    made = acme.Server(host)
    made.start()
    trusted = host.directory / "ca.pem"
    trusted.write_text(trusted.read_text(encoding="ascii") + made.root(), encoding="ascii")
    yield made
    made.stop()


def served(host: Host) -> str:
    """The certificate that a client gets, as text."""
    return edge.handshake(host).partition("-----BEGIN")[2].partition("-----END")[0]


def issuer(host: Host) -> str:
    """Of the certificate that a client gets, which it has verified."""
    with edge.connect(host) as client:
        assert isinstance(client, ssl.SSLSocket)
        return str(client.getpeercert())


def renew(host: Host) -> tuple[bool, str]:
    """What the timer starts; whether both units ended well, and what they said."""
    began = host.root("date +@%s").stdout.strip()
    units = f"{certificate.RENEW} {certificate.INSTALL}"
    host.root(f"systemctl start {certificate.INSTALL}", check=False, seconds=240)
    failed = host.root(f"systemctl is-failed {units}", check=False).stdout.split()
    said = host.root(
        f"journalctl -o cat --since {began} {' '.join(f'-u {unit}' for unit in units.split())}"
    ).stdout
    return "failed" not in failed, sentence(said)


def drift(host: Host, data: Mapping[str, str]) -> tuple[int, list[str]]:
    given = [word for name, value in data.items() for word in ("--data", f"{name}={value}")]
    words = [sys.executable, "-m", "deploys.drift", "inventories/lab.py", "--limit", host.name, "--json", *given]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    (found,) = json.loads(done.stdout)
    return done.returncode, [*found["findings"], *found["unseen"]]


def alarms(host: Host) -> set[str]:
    lines = host.root(alerts.CHECK).stdout.splitlines()
    return {line.split("\t")[0] for line in lines if line.split("\t")[1] == "alarm"}


def is_red(host: Host, unit: str) -> None:
    """Status and alerts have it."""
    assert f"unit-failed:{unit}" in alarms(host)
    code, found = status(host)
    assert code == 1
    assert f"{unit}: failed" in json.dumps(found)


@contextmanager
def busy(host: Host) -> Iterator[list[str]]:
    """A server that answers everyone that there were too many requests; what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many of them"})
            self.send_response(429)
            self.send_header("Retry-After", "3600")
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(host.directory / "acme/edge.pem", host.directory / "acme/edge.key")
    with HTTPServer((host.network.gateway, BUSY_PORT), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_it_is_issued_and_served_without_a_lost_request_and_a_second_run_changes_nothing(host: Host) -> None:
    assert "Motorcade lab" in issuer(host)
    with edge.traffic(host) as seen:
        deployed(host, "plat_05a", data=SHORT)
    assert seen.failed == []
    assert len(seen.answers) > 50
    assert "Pebble Intermediate CA" in issuer(host)
    assert deployed(host, "plat_05a", data=SHORT).did == NOTHING
    assert drift(host, SHORT) == (0, [])
    before = served(host)
    well, said = renew(host)
    assert well
    assert "is not due yet" in said
    assert served(host) == before
    assert host.root("systemctl is-enabled certbot.timer", check=False).stdout.strip() == "disabled"


@pytest.mark.usefixtures("server")
def test_a_challenge_is_answered_through_the_redirect_of_the_frozen_page_and_only_during_a_renewal(
    host: Host,
) -> None:
    path = "/.well-known/acme-challenge/none"
    assert ask(host, path, port=80).headers["location"] == f"https://{EDGE}{path}"
    assert ask(host, path).status == 404


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_pair_that_cannot_be_served_is_not_used(host: Host, spoiled: str) -> None:
    spoil, why = SPOILED[spoiled]
    before = served(host)
    host.root(f"cd {LIVE} && cat privkey.pem >/root/key && cat fullchain.pem >/root/chain")
    host.root(spoil)
    done = host.root(PROGRAM, check=False)
    host.root(f"cd {LIVE} && cat /root/key >privkey.pem && cat /root/chain >fullchain.pem")
    assert done.returncode == 1
    assert why in done.stdout
    assert served(host) == before
    host.root(f"cmp {LIVE}fullchain.pem /{FOLDER}/edge.pem && {PROGRAM} && {PROGRAM} check")


@pytest.mark.usefixtures("server")
def test_without_the_setting_the_certificate_in_use_becomes_files_and_nothing_else_is_left(host: Host) -> None:
    before = served(host)
    with edge.traffic(host) as seen:
        deployed(host, "plat_05a")
    assert seen.failed == []
    assert served(host) == before
    host.root(f"cd /{FOLDER} && [ ! -L edge.pem ] && [ ! -L edge.key ] && [ $(stat -c %a edge.key) = 600 ]")
    assert deployed(host, "plat_05a").did == NOTHING
    assert drift(host, {}) == (0, [])
    host.root("systemctl restart nginx")
    assert served(host) == before


@pytest.mark.usefixtures("server")
def test_a_due_certificate_is_renewed_without_a_lost_request(host: Host) -> None:
    deployed(host, "plat_05a", data=BRIEF)
    before = served(host)
    time.sleep(DUE_SECONDS)
    with edge.traffic(host) as seen:
        well, said = renew(host)
    assert well, said
    assert seen.failed == []
    assert len(seen.answers) > 50
    assert served(host) != before
    assert "Pebble Intermediate CA" in issuer(host)


def test_a_refused_challenge_is_red_and_the_old_certificate_serves_on(host: Host, server: acme.Server) -> None:
    before = served(host)
    server.points_to(host.network.gateway)
    time.sleep(DUE_SECONDS)
    well, said = renew(host)
    assert not well
    assert "no new one was issued" in said
    is_red(host, certificate.RENEW)
    assert served(host) == before
    server.points_to(host.address)
    assert renew(host)[0]
    assert served(host) != before
    assert f"unit-failed:{certificate.RENEW}" not in alarms(host)


@pytest.mark.usefixtures("server")
def test_a_challenge_that_the_edge_does_not_serve_is_seen_before_the_server_is_asked(host: Host) -> None:
    host.root(f"mv {certificate.ROUTE} /root/route && systemctl reload nginx")
    well, said = renew(host)
    host.root(f"mv /root/route {certificate.ROUTE} && systemctl reload nginx")
    assert not well
    assert "the edge does not serve challenges" in said
    assert renew(host)[0]


@pytest.mark.usefixtures("server")
def test_a_broken_file_elsewhere_keeps_the_old_certificate_until_it_is_repaired(host: Host) -> None:
    before = served(host)
    broken = f"{nginx.OWN}/routes.d/broken.conf"
    host.root(f"echo 'nonsense on;' >{broken}")
    time.sleep(DUE_SECONDS)
    well, said = renew(host)
    assert not well
    assert "broken.conf:1" in said
    is_red(host, certificate.INSTALL)
    assert served(host) == before
    issued = host.root(f"ls {certificate.STATE}/config/archive/*").stdout
    host.root(f"rm {broken}")
    assert host.root(f"{nginx.VALID} && {PROGRAM}").returncode == 0, "the pair on the disk is whole"
    assert served(host) != before
    assert host.root(f"ls {certificate.STATE}/config/archive/*").stdout == issued
    assert renew(host)[0]


def test_a_server_that_is_gone_or_has_enough_is_red_and_the_old_certificate_serves_on(
    host: Host, server: acme.Server
) -> None:
    before = served(host)
    time.sleep(DUE_SECONDS)
    server.stop()
    well, said = renew(host)
    assert not well
    assert "no new one was issued" in said
    is_red(host, certificate.RENEW)
    red = deploy(host, "plat_05a", data=BRIEF)
    assert red.code == 1
    assert "no new one was issued" in sentence(red.output)
    with busy(host) as asked:
        red = deploy(
            host,
            "plat_05a",
            data={**BRIEF, "certificate_directory": f"https://store.motorcade.test:{BUSY_PORT}/dir"},
        )
    assert red.code == 1
    assert "too many of them" in sentence(red.output)
    assert len(asked) == 1, "it is left alone"
    assert served(host) == before
    assert ask(host, "/").status == 404
