"""The edge under one address: what it takes from the others, from the disk, and how it is kept out."""

# More than a minute: the floods last as long as a time limit of nginx, and a block outlives a power cut.

import subprocess
import sys
import time

import pytest

from deploys.services.nginx import limits
from tests.lab import flood
from tests.lab.command import until
from tests.lab.deploying import EDGE_PAGES, included, sentence, status
from tests.lab.edge import HEALTH
from tests.lab.host import Host
from tests.lab.load import connect

ADDRESSES = range(60, 80)
MOST = 500  # edge_connections
CONNECTIONS = 9_500
SECONDS = 8
LOG = "/var/log/motorcade/nginx/access.log"
BOUND = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    platform.network.open_addresses(ADDRESSES)
    return platform


def address(host: Host, number: int) -> str:
    return host.network.addresses(ADDRESSES)[number]


def health(host: Host, source: str, seconds: float = 10) -> int:
    """The status from there; 0 for none within the time."""
    try:
        with host.network.dial(443, seconds, source):
            pass
        connection = connect(host, source)
        connection.request("GET", HEALTH)
        found = connection.getresponse().status
        connection.close()
    except OSError:
        return 0
    return found


def held(host: Host, source: str) -> int:
    """How many connections the edge has with that address."""
    return int(host.root(f"ss -Htn state established dst {source} | grep -c :443 || true").stdout)


def test_thousands_of_connections_of_one_address_leave_the_edge_to_the_others(host: Host) -> None:
    attacker, honest = address(host, 0), [address(host, number) for number in range(1, 20)]
    answers: list[int] = []
    most = 0
    with flood.connections(host, attacker, CONNECTIONS) as attack:
        assert until(lambda: attack.sent >= MOST, 20)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            answers.append(health(host, honest[len(answers) % len(honest)], 5))
            most = max(most, held(host, attacker))
    assert len(answers) > 10
    assert set(answers) == {200}, answers
    assert MOST / 2 < most <= MOST


@pytest.mark.parametrize(
    "path", ["/" + "a" * 3800, "/api/lead-intake", HEALTH], ids=["nowhere", "refused", "limited"]
)
def test_requests_that_cost_a_caller_nothing_fill_no_log(host: Host, path: str) -> None:
    before = size(host)
    answered = flood.requests(host, address(host, 2), path, 4)
    assert answered > 1000
    assert 0 < size(host) - before < 500_000, answered


def size(host: Host) -> int:
    return int(host.root(f"stat -c %s {LOG}").stdout)


def test_a_log_that_is_full_takes_no_more_and_the_edge_answers_on(host: Host) -> None:
    host.root(f"systemctl stop motorcade-nginx-logs.timer; truncate -s {BOUND} {LOG}")
    try:
        assert health(host, address(host, 3)) == 200
        assert size(host) == BOUND
    finally:
        host.root("systemctl start motorcade-nginx-logs.service motorcade-nginx-logs.timer")
    assert until(lambda: health(host, address(host, 3)) == 200 and 0 < size(host) < BOUND, 10)


def block(host: Host, *words: str) -> tuple[int, str]:
    """How deploys.block ends, and what it says, as one line."""
    line = [sys.executable, "-m", "deploys.block", "inventories/lab.py", "--limit", host.name, *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, sentence(done.stdout + done.stderr).strip()


def blocked_by_kernel(host: Host) -> str:
    return host.root("for set in blocked4 blocked6; do nft list set inet motorcade_edge $set; done").stdout


def test_a_blocked_address_gets_nothing_until_its_block_is_lifted_and_others_do(host: Host) -> None:
    blocked, other = address(host, 4), address(host, 5)
    assert block(host, blocked, "--for", "10m", "--reason", "the lab's asks")[0] == 0
    try:
        assert (health(host, blocked, 2), health(host, other)) == (0, 200)
        assert block(host, blocked, "--for", "1h", "--reason", "again")[0] == 0
        code, said = block(host)
        assert (code, said.count("until")) == (0, 1)
        assert f"{host.name}: {blocked} until " in said
        assert said.endswith(": again")
    finally:
        code, said = block(host, blocked, "--for", "0", "--reason", "over")
    assert (code, said) == (0, f"{host.name}: {blocked} is no longer blocked {host.name}: no address is blocked")
    assert health(host, blocked) == 200
    code, said = block(host, blocked, "--for", "0", "--reason", "over")
    assert (code, said) == (0, f"{host.name}: {blocked} was not blocked {host.name}: no address is blocked")
    journal = host.root("journalctl --identifier motorcade-block --output cat").stdout
    assert f" blocks {blocked} for 600 seconds: the lab's asks" in journal
    assert journal.count(f" lifts the block of {blocked}: over") == 1


def test_a_block_outlives_a_reload_of_the_rules_and_a_power_cut(host: Host) -> None:
    blocked, network = address(host, 7), "2001:db8:1:2::"
    assert block(host, blocked, "--for", "10m", "--reason", "the lab asks")[0] == 0
    assert block(host, f"{network}5", "--for", "10m", "--reason", "the lab asks")[0] == 0
    try:
        host.root("systemctl restart motorcade-nginx-limits")
        assert blocked in blocked_by_kernel(host)
        assert network in blocked_by_kernel(host)
        host.power_off()
        host.boot()
        host.network.open_addresses(ADDRESSES)  # they went with the interface
        assert until(lambda: health(host, address(host, 5), 2) == 200, 60)
        assert health(host, blocked, 2) == 0
        assert network in blocked_by_kernel(host)
    finally:
        for each in (blocked, f"{network}/64"):
            assert block(host, each, "--for", "0", "--reason", "over")[0] == 0
    assert network not in blocked_by_kernel(host)


def test_a_block_ends_by_itself(host: Host) -> None:
    blocked = address(host, 6)
    host.root(f"sh {limits.SCRIPT} block {blocked} 4 lab@lab 'a short one'")
    assert health(host, blocked, 1) == 0
    assert until(lambda: health(host, blocked, 1) == 200, 20)
    assert block(host) == (0, f"{host.name}: no address is blocked")


def test_what_must_not_be_blocked_is_refused_with_the_reason(host: Host) -> None:
    for given, why in (
        (host.address, f"is an address of {host.name}"),
        (host.network.gateway, "is the one that you come from"),
        ("127.0.0.1", "is not the address of a caller"),
        ("203.0.113.0/24", "is a network of many callers"),
        ("an address", "is not an IP address"),
    ):
        code, said = block(host, given, "--for", "1h", "--reason", "by mistake")
        assert code == 2
        assert why in said
    assert health(host, host.network.gateway) == 200
    assert block(host) == (0, f"{host.name}: no address is blocked")


def test_rules_that_are_gone_or_changed_are_reported_until_the_unit_is_restarted(host: Host) -> None:
    remedy = f"sudo systemctl restart {limits.UNIT.removesuffix('.service')}"
    for by_hand, said in (
        ("nft flush chain inet motorcade_edge input", limits.CHANGED),
        ("nft delete table inet motorcade_edge", "the table is not there"),
        ("systemctl stop motorcade-nginx-limits", "the unit is not active"),
    ):
        host.root(by_hand)
        code, found = status(host)
        assert code == 1
        assert found["services"]["nginx"] == [f"{limits.UNIT}: {said}; {remedy}"]
        host.root(remedy)
        assert status(host)[1]["services"]["nginx"] == []


def test_a_frozen_page_loads_rules_that_are_gone(host: Host) -> None:
    host.root("nft delete table inet motorcade_edge")
    assert block(host, "203.0.113.7", "--for", "1h", "--reason", "the lab asks")[0] == 2
    included(host, EDGE_PAGES)
    host.root(limits.LOADED)
