"""Redis heals within its bound, gives up aloud, and answers nobody without a password."""

# More than a minute: its watch looks every few seconds, and a crash loop ends after ten starts.

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.lab.command import until
from tests.lab.deploying import NOTHING, deployed, record, state, status
from tests.lab.host import Host

PAGES = ("plat_08b", "plat_08c", "plat_08d")
KILLED_SECONDS = 30
HUNG_SECONDS = 120
START_LIMIT = 10
WATCH = "motorcade-redis-healthcheck"
ASK = "timeout 10 podman exec motorcade-redis"


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab("foundation")


def answers(host: Host) -> bool:
    return host.root(f"{ASK} redis-ask PING", check=False).stdout.strip() == "PONG"


def hang(host: Host) -> None:
    host.root("kill -STOP $(podman inspect --format '{{.State.Pid}}' motorcade-redis)")


def look(host: Host, times: int) -> None:
    """Runs the watch without waiting for its timer. Raises LabError if it fails."""
    # systemd limits how often a unit starts; reset-failed forgets its starts.
    one = f"systemctl start {WATCH}.service; systemctl reset-failed {WATCH}.service"
    host.root(f"set -e; for _ in $(seq {times}); do {one}; done")


def digest(host: Host, user: str) -> str:
    """Of the one password that Redis takes from the user."""
    (found,) = re.findall(
        r"#([0-9a-f]{64})\b", host.root(f"{ASK} redis-ask ACL LIST | grep '^user {user} '").stdout
    )
    return str(found)


def life(host: Host) -> str:
    return host.root("podman inspect --format '{{.Id}}' motorcade-redis", check=False).stdout


def test_it_answers_its_users_only_and_evicts_nothing(host: Host) -> None:
    assert "NOAUTH" in host.root(f"{ASK} redis-cli PING").stdout
    listed = host.root(f"{ASK} redis-ask ACL LIST").stdout.splitlines()
    assert sorted(line.split()[1:3] for line in listed) == [
        ["bell", "on"],
        ["default", "off"],
        ["operator", "on"],
        ["worker", "on"],
    ]
    assert host.root(f"{ASK} redis-ask CONFIG GET maxmemory-policy").stdout.split() == [
        "maxmemory-policy",
        "noeviction",
    ]
    assert host.root(f"{ASK} redis-ask CONFIG GET appendfsync").stdout.split() == ["appendfsync", "everysec"]


def test_its_container_has_no_rights_it_does_not_need(host: Host) -> None:
    form = "{{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}} {{.HostConfig.SecurityOpt}} {{.Config.User}}"
    seen = host.root(f"podman inspect --format '{form}' motorcade-redis").stdout.split()
    assert seen == ["true", "[]", "[no-new-privileges]", "10002:10002"]


def test_killed_it_is_back_within_its_bound(host: Host) -> None:
    before = life(host)
    host.root("podman kill --signal KILL motorcade-redis")
    assert until(lambda: life(host) not in {"", before} and answers(host), KILLED_SECONDS)


def test_a_well_one_is_never_restarted_by_its_watch(host: Host) -> None:
    before = life(host)
    look(host, 20)
    assert life(host) == before
    assert host.root(f"ls /run/{WATCH}").stdout == ""


def test_hung_it_is_restarted_by_its_watch_and_back_within_its_bound(host: Host) -> None:
    before = life(host)
    hang(host)
    assert until(lambda: life(host) not in {"", before} and answers(host), HUNG_SECONDS)
    assert len(host.root(f"cat /var/lib/{WATCH}/recoveries").stdout.split()) == 1


def test_after_its_recoveries_of_an_hour_the_watch_fails_until_somebody_acts(host: Host) -> None:
    host.root(f"for _ in 1 2 3; do date +%s; done >/var/lib/{WATCH}/recoveries")
    before = life(host)
    hang(host)
    failed = f"systemctl is-failed --quiet {WATCH}.service"
    assert until(lambda: host.root(failed, check=False).returncode == 0, HUNG_SECONDS)
    assert life(host) == before
    assert [unit.partition(" (")[0] for unit in status(host)[1]["units"]] == [f"{WATCH}.service: failed"]
    host.root(f"rm /var/lib/{WATCH}/recoveries; systemctl restart motorcade-redis", seconds=120)
    assert until(lambda: answers(host) and host.root(failed, check=False).returncode != 0, KILLED_SECONDS)


def test_its_watch_has_no_rights_it_does_not_need(host: Host) -> None:
    said = host.root(f"systemd-analyze security --no-pager {WATCH}.service").stdout
    (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(level) <= 2


def test_stopped_by_hand_it_stays_stopped(host: Host) -> None:
    host.root("systemctl stop motorcade-redis", seconds=60)
    look(host, 3)
    assert host.root("systemctl is-active motorcade-redis", check=False).stdout.strip() == "inactive"
    assert ["is inactive" in unit for unit in status(host)[1]["units"]] == [True]
    assert host.root(f"systemctl is-failed {WATCH}", check=False).stdout.strip() != "failed"
    deployed(host, *PAGES)
    assert answers(host)


def test_a_crash_loop_ends_in_the_failed_state_and_the_pages_end_that(host: Host) -> None:
    before = state(host)
    host.root("echo 'no-such-directive yes' >> /etc/motorcade/redis/redis.conf")
    host.root("systemctl restart motorcade-redis", check=False)  # it may see the first fall
    failed = "[ $(systemctl show -P ActiveState motorcade-redis) = failed ]"
    assert until(lambda: host.root(failed, check=False).returncode == 0, HUNG_SECONDS)
    look(host, 3)  # the watch leaves it alone
    code, found = status(host)
    assert code == 1
    (told,) = found["units"]
    seen = re.match(r"motorcade-redis.service: failed \(result exit-code, restarted (\d+) times\); ", told)
    assert seen, told
    assert int(seen[1]) <= START_LIMIT
    deployed(host, *PAGES)
    assert answers(host)
    assert status(host)[1]["units"] == []
    assert state(host) == before


def test_a_rotated_password_is_the_only_one_that_is_answered(host: Host) -> None:
    before = life(host)
    users = ("operator", "bell", "worker")
    old = [digest(host, user) for user in users]
    for user in users:
        words = [sys.executable, "-m", "deploys.kit.secrets", "rotate", "lab", f"redis-{user}"]
        subprocess.run([*words, "--directory", str(host.directory / "secrets")], check=True, timeout=30)
    deployed(host, *PAGES)
    assert life(host) != before
    assert answers(host)
    assert not {digest(host, user) for user in users} & {*old}
    assert record(host)[-1]["event"] == "OK"
    assert deployed(host, *PAGES).did == NOTHING


def test_it_joins_the_boot(host: Host) -> None:
    host.power_off()
    host.boot()
    assert until(lambda: answers(host), KILLED_SECONDS)
    assert deployed(host, *PAGES).did == NOTHING


def test_a_maintenance_that_nobody_ended_is_told(host: Host) -> None:
    assert status(host)[1]["maintenance"] == ""
    host.root("touch --date=2026-01-02T03:04:05Z /etc/motorcade/maintenance")
    assert "maintenance has been on since 2026-01-02T03:04:05Z; " in status(host)[1]["maintenance"]
    host.root("rm /etc/motorcade/maintenance")
