"""How the edge changes: by its pages only, tested first, and without a lost request."""

# More than a minute: frozen pages run some forty times: refused, unlocked or verified.

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab import certificates, edge
from tests.lab.certificates import EDGE, FOLDER
from tests.lab.command import until
from tests.lab.deploying import (
    EDGE_PAGES,
    NOTHING,
    deploy,
    deployed,
    everything,
    include,
    included,
    record,
    sentence,
    state,
)
from tests.lab.edge import HEALTH, INTAKE, MANY_HEADERS, TWO_LENGTHS, ask
from tests.lab.host import Host

MADE = """
from deploys.kit.operations.hostfiles import HostFile
from deploys.kit.run import page
from deploys.services.nginx import nginx
this = page.begin("PLAT_07")
nginx.place(this, [HostFile("/etc/nginx/motorcade/routes.d/lead.conf", "location / {{ {line} }}\\n")])
"""
# A rate at which one machine may be many clients.
MANY = {"edge_requests_per_second": "5000", "edge_connections": "3000"}
ROUTES = "cat /etc/nginx/motorcade/routes.d/lead.conf; ls /etc/nginx/motorcade/routes.d"


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    return platform


@pytest.fixture(autouse=True)
def _rested() -> None:
    """What one test has asked for is not held against the next: 20 at once, 10 a second."""
    time.sleep(2)


def unlocked(host: Host, page: str, **data: str) -> list[str]:
    """Run a frozen page with the owner's word; what it changed."""
    word = {"unlock": page.upper(), "reason": "the lab asks"}
    return deployed(host, page, data={**word, **data}).changes


def _expired(folder: Path, target: Path) -> None:
    certificates.renew(folder, target, days="-1")


def _other_name(folder: Path, target: Path) -> None:
    certificates.renew(folder, target, name="elsewhere.example")


def _other_key(folder: Path, target: Path) -> None:
    kept = (target / "edge.pem").read_bytes()
    certificates.renew(folder, target)
    (target / "edge.pem").write_bytes(kept)


def _missing(_: Path, target: Path) -> None:
    (target / "edge.pem").unlink()


def _readable(_: Path, target: Path) -> None:
    (target / "edge.key").chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_expired, "it expired: notAfter="),
        (_other_name, "it is for another name"),
        (_other_key, "edge.key does not match the certificate"),
        (_missing, "edge.pem is missing"),
        (_readable, "edge.key is readable by others than root"),
    ],
    ids=["expired", "other name", "other key", "missing", "readable key"],
)
def test_a_certificate_that_cannot_be_served_is_refused_before_anything_is_touched(
    host: Host, tmp_path: Path, spoil: Callable[[Path, Path], None], words: str
) -> None:
    target, kept = host.guest.root / FOLDER, tmp_path / "kept"
    shutil.copytree(target, kept)
    before = everything(host)
    spoil(host.directory, target)
    ended = include(host, EDGE_PAGES)
    shutil.copytree(kept, target, dirs_exist_ok=True)
    assert ended.code == 1
    assert words in sentence(ended.output)
    assert "docs/services/nginx.md" in ended.output
    assert everything(host) == before


@pytest.mark.parametrize("page", ["plat_05", "plat_06a", "plat_07"])
def test_a_frozen_page_refuses_until_the_owner_unlocks_it(host: Host, page: str) -> None:
    before = everything(host)
    ended = deploy(host, page)
    assert ended.code == 1
    assert f"{page.upper()}: the page is frozen; with the owner's permission" in sentence(ended.output)
    assert everything(host) == before
    assert unlocked(host, page) == []
    line = next(line for line in reversed(record(host)) if line["event"] == "STARTED")
    assert line["notes"][page.upper()] == {"unlock": page.upper(), "reason": "the lab asks"}


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("plat_05", "/etc/nginx/nginx.conf"),
        ("plat_06a", "/etc/nginx/motorcade/servers.d/redirect.conf"),
        ("plat_07", "/etc/nginx/motorcade/routes.d/lead.conf"),
    ],
)
def test_an_edit_by_hand_is_found_and_left_until_the_page_is_unlocked(host: Host, page: str, file: str) -> None:
    before = state(host)
    host.root(f"echo '# by hand' >> {file}; systemctl reload nginx")
    ended = include(host, EDGE_PAGES)
    assert ended.code == 1
    assert f"{file} differs from the page, and the page is locked" in sentence(ended.output)
    assert "# by hand" in host.root(f"cat {file}").stdout
    (backup,) = deployed(host, page, data={"unlock": page.upper(), "reason": "the lab asks"}).line["backups"]
    assert backup["restore"]
    assert included(host, EDGE_PAGES).changed <= 1, "its own red mark at most"
    assert state(host) == before


def test_what_lies_there_and_does_not_run_is_seen_and_reloaded(host: Host) -> None:
    """As after a run that was killed between the move and the reload."""
    file = "/etc/nginx/motorcade/routes.d/lead.conf"
    host.root(f"cp -p {file} /root/kept; sed -i 's,/lead/;,/leads/;,' {file}; systemctl reload nginx")
    assert until(lambda: ask(host, HEALTH).status == 404, 5)
    host.root(f"mv /root/kept {file}")
    assert "(another configuration)" in sentence(include(host, EDGE_PAGES).output)
    assert "PLAT_05 | nginx.service runs" in unlocked(host, "plat_05")
    assert ask(host, HEALTH).status == 200
    included(host, EDGE_PAGES)
    assert included(host, EDGE_PAGES).did == NOTHING


@pytest.mark.parametrize("line", ["nonsense on;", "return 200"], ids=["unknown word", "half a line"])
def test_a_configuration_that_nginx_refuses_never_lies_there(host: Host, line: str) -> None:
    made = host.directory.relative_to(Path.cwd()) / "made_page.py"
    made.write_text(MADE.format(line=line))
    before = host.root(ROUTES).stdout
    ended = deploy(host, f"../{made.with_suffix('')}", data={"unlock": "PLAT_07", "reason": "the lab asks"})
    made.unlink()
    assert ended.code == 1
    assert "lead.conf:1" in ended.output
    assert host.root(ROUTES).stdout == before
    unlocked(host, "plat_07")
    assert ask(host, HEALTH).status == 200


def test_maintenance_closes_the_intake_and_opens_it_again(host: Host) -> None:
    assert deployed(host, "maintenance", data={"state": "on"}).changed == 2
    closed = ask(host, INTAKE, "POST", b"{}")
    assert (closed.status, closed.headers["retry-after"]) == (503, "10")
    assert "closed for maintenance" in closed.problem["detail"]
    assert deployed(host, "maintenance", data={"state": "on"}).did == NOTHING
    red = include(host, EDGE_PAGES)
    assert red.code == 1
    assert "maintenance is on; run deploys/maintenance.py --data state=off" in sentence(red.output)
    deployed(host, "maintenance", data={"state": "off"})
    assert ask(host, HEALTH).status == 200
    assert deployed(host, "maintenance", data={"state": "off"}).did == NOTHING
    included(host, EDGE_PAGES)
    assert included(host, EDGE_PAGES).did == NOTHING


@pytest.mark.parametrize("data", [{}, {"state": "perhaps"}], ids=["no state", "another state"])
def test_maintenance_without_a_state_is_refused(host: Host, data: dict[str, str]) -> None:
    before = everything(host)
    ended = deploy(host, "maintenance", data=data)
    assert ended.code == 1
    assert "is neither on nor off; use --data state=on or state=off" in sentence(ended.output)
    assert everything(host) == before


@pytest.fixture(scope="module")
def busy(host: Host) -> Iterator[Host]:
    """The edge with a rate at which one machine may be many clients."""
    unlocked(host, "plat_05", **MANY)
    yield host
    unlocked(host, "plat_05")


def test_abuse_leaves_the_others_their_time(busy: Host) -> None:
    with edge.traffic(busy) as alone:
        time.sleep(6)
    with edge.traffic(busy) as beside, ExitStack() as slow:
        sockets = [slow.enter_context(edge.connect(busy)) for _ in range(200)]
        for each in sockets:
            each.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: {EDGE}\r\nX: ".encode())
        end = time.monotonic() + 6
        while time.monotonic() < end:
            edge.send(busy, TWO_LENGTHS)
            edge.send(busy, MANY_HEADERS)
    assert alone.failed == beside.failed == []
    assert min(len(alone.answers), len(beside.answers)) > 200
    # Both share this machine's processors, and the abuse is made on it: so the bound is wide.
    assert beside.p99_seconds < 5 * alone.p99_seconds + 0.1


def test_a_reload_loses_no_request(busy: Host) -> None:
    with edge.traffic(busy, clients=8) as seen:
        for _ in range(5):
            time.sleep(1)
            busy.root("systemctl reload nginx")
        time.sleep(1)
    assert len(seen.answers) > 200
    assert seen.failed == []


def test_a_renewed_certificate_is_served_after_the_page_without_a_lost_request(busy: Host) -> None:
    before = serial(busy)
    certificates.renew(busy.directory, busy.guest.root / FOLDER)
    red = include(busy, EDGE_PAGES, data=MANY)
    assert "nginx.service (another configuration) differs from the page" in sentence(red.output)
    with edge.traffic(busy) as seen:
        changes = unlocked(busy, "plat_05", **MANY)
    assert "PLAT_05 | nginx.service runs" in changes
    assert seen.failed == []
    assert serial(busy) != before


def serial(host: Host) -> str:
    certificate = edge.handshake(host).partition("-----BEGIN")[2].partition("-----END")[0]
    assert certificate
    return certificate
