"""What the check finds on a host, by programs that answer as a host would: each trouble made by itself."""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploys.kit.facts import Answer
from deploys.services.backup import state as backup_state
from tests.deploys.known_host import KnownHost
from tests.deploys.services.alerts import receivers
from tests.deploys.services.alerts.checked_host import (
    DONE,
    HEALTH,
    REDIS,
    TIMER,
    Host,
    label,
    reports,
    shown,
    stamp,
)


def test_on_a_host_that_is_well_it_finds_nothing_and_says_when_it_looked(host: Host) -> None:
    assert host.found() == []
    ((first, _, at),) = host.recorded()
    assert first == "checked"
    assert datetime.now(UTC) - datetime.fromisoformat(at) < timedelta(seconds=30)


Break = Callable[[Host], None]
ENDS = {"expiry_days": 21, "expiry_urgent_days": 7}


def problem(host: Host) -> None:
    host.set(
        "ready", json.dumps({"detail": "The disk of PostgreSQL's data is full.", "status": 503}) + "\n503 0.001"
    )


def one_unit(**changed: str) -> Break:
    return lambda host: host.set("show", shown({**REDIS, **changed}, TIMER, DONE))


def key(**left: float) -> Break:
    """An API key that ends after this."""
    until = f"{datetime.now(UTC) + timedelta(**left):%FT%TZ}"

    def change(host: Host) -> None:
        host.values |= ENDS
        host.set("edge.pem", "")
        host.set("api-keys", f"# keys\n\nAbCd1234 website intake {'0' * 64} {until}\nbad line\n")

    return change


def dead_unit(host: Host) -> None:
    """Its file is there, and the generator made nothing of it."""
    host.set("quadlets/motorcade-gone.container", "")
    host.set("show", shown(REDIS, {**DONE, "id": "motorcade-gone.service", "load": "not-found"}))


def lost_lock(host: Host) -> None:
    host.set("lock/run.json", "{}")
    os.utime(host.world / "lock/run.json", (1, 1))


def old_lists(host: Host) -> None:
    os.utime(host.world / "packages", (1, 1))


def other_key(host: Host) -> None:
    folder = host.world / "other"
    folder.mkdir()
    host.set("edge.key", receivers.make_certificate(folder).read_text().partition("-----BEGIN CERT")[0])


def kept_updates(text: str) -> Break:
    return lambda host: host.set("state/updates", text)


@pytest.mark.parametrize(
    ("change", "id_", "level", "what"),
    [
        (problem, "intake-ready", "alarm", "(/lead/ready is 503): The disk of PostgreSQL's data is full."),
        (lambda host: host.set("ready", "\n000 0.000000"), "intake-ready", "alarm", "(/lead/ready is 000)"),
        (lambda host: host.set("health", "<html>"), "intake-health", "alarm", "does not say how it is"),
        (
            lambda host: host.health(
                dependencies={**HEALTH["dependencies"], "redis": "down", "worker": "degraded"}
            ),
            "intake-health",
            "alarm",
            "the intake lacks redis, worker",
        ),
        (
            lambda host: host.health(fault="disk nearly full"),
            "intake-health",
            "alarm",
            "a fault: disk nearly full",
        ),
        (
            lambda host: host.health(dependencies={**HEALTH["dependencies"], "api_keys": "degraded"}),
            "intake-keys",
            "alarm",
            "cannot read a line",
        ),
        (lambda host: host.health(dead=3), "intake-dead", "alarm", "3 submissions were put aside"),
        (
            lambda host: host.health(backlog=70, oldest_seconds=61.9),
            "intake-queue",
            "alarm",
            "the oldest of 70 queued submissions has waited for 61 seconds",
        ),
        (
            lambda host: host.set("df", "81% 1% ext4 /srv/motorcade/volumes/a\n"),
            "disk-bytes:/srv/motorcade/volumes/a",
            "alarm",
            "81 % of the bytes",
        ),
        (
            lambda host: host.set("df", "81% 1% tmpfs /srv/motorcade/x\n"),
            "disk-bytes:/srv/motorcade/x",
            "alarm",
            "81",
        ),
        (lambda host: host.set("df", "1% 99% ext4 /home\n"), "disk-inodes:/home", "alarm", "99 % of the inodes"),
        (lambda host: host.set("df-status", "1"), "unknown:disks", "alarm", "cannot be asked for its space"),
        (one_unit(active="failed"), "unit-failed:motorcade-redis.service", "alarm", "failed (success)"),
        (one_unit(active="inactive"), "unit-stopped:motorcade-redis.service", "alarm", "is inactive (x), but is"),
        (one_unit(active="activating"), "unit-stopped:motorcade-redis.service", "alarm", "is activating"),
        (one_unit(load="masked"), "unit-masked:motorcade-redis.service", "alarm", "is masked"),
        (one_unit(load="bad-setting"), "unit-missing:motorcade-redis.service", "alarm", "is bad-setting"),
        (dead_unit, "unit-missing:motorcade-gone.service", "alarm", "is not-found"),
        (lambda host: host.set("clock", "no\n"), "clock-unsynchronised", "alarm", "nothing synchronises"),
        (lambda host: host.set("chrony", "A9,t,3,1.0,-2.5,0\n"), "clock-off", "alarm", "-2.5 seconds off"),
        (kept_updates("libc6\nopenssl\n"), "updates", "notice", "2 security updates are pending: libc6 openssl"),
        (kept_updates("unknown\n"), "updates-unknown", "notice", "does not say"),
        (
            lambda host: host.set("due", "dbus.service 1 of them\nnginx.service 3 of them\n"),
            "restart-due",
            "notice",
            "these still run what an update has replaced: dbus.service nginx.service",
        ),
        (
            lambda host: host.set("due", "reboot an update needs it: linux-image\n"),
            "reboot-due",
            "notice",
            "the host needs a reboot: an update needs it: linux-image",
        ),
        (old_lists, "updates-unknown", "notice", "older than a week"),
        (
            lambda host: host.set("steps/PLAT_04.red", "{}"),
            "page-red:PLAT_04",
            "alarm",
            "the last run of PLAT_04 failed",
        ),
        (lost_lock, "run-open", "alarm", "for more than 60 minutes"),
        (
            lambda host: host.set("run/fault-smtp", "2026-11-27T01:00:00Z\tcurl: (7) no\n"),
            "channel:smtp",
            "alarm",
            "alerts by smtp have failed since 2026-11-27T01:00:00Z: curl: (7) no",
        ),
        (
            lambda host: host.values.update(channels=[]),
            "no-channel",
            "alarm",
            "no channel for alerts is configured",
        ),
        (lambda host: host.set("edge.pem", "x"), "certificate-unreadable", "alarm", "of edge.test cannot be read"),
        (other_key, "certificate-key", "alarm", "does not fit the certificate of edge.test"),
        # The certificate of the tests ends in two days.
        (
            lambda host: host.values.update(expiry_days=3),
            "certificate-soon",
            "notice",
            "the certificate of edge.test expires at",
        ),
        (
            lambda host: host.values.update(ENDS),
            "certificate-now",
            "alarm",
            "the certificate of edge.test expires at",
        ),
    ],
)
def test_each_trouble_is_found_by_itself(host: Host, change: Break, id_: str, level: str, what: str) -> None:
    change(host)
    ((found_id, found_level, sentence),) = host.found()
    assert (found_id, found_level) == (id_, level)
    assert what in sentence


@pytest.mark.parametrize(
    ("left", "id_", "level", "word"),
    [
        ({"days": 22}, "", "", ""),
        ({"days": 20}, "api-key-soon:AbCd1234", "notice", "expires at"),
        ({"days": 6}, "api-key-now:AbCd1234", "alarm", "expires at"),
        ({"days": -1}, "api-key-now:AbCd1234", "alarm", "expired at"),
    ],
)
def test_the_end_of_an_api_key_is_announced_and_then_urgent(
    host: Host, left: dict[str, float], id_: str, level: str, word: str
) -> None:
    key(**left)(host)
    found = [each for each in host.found() if each[0].startswith("api-key")]
    assert [each[:2] for each in found] == ([(id_, level)] if id_ else [])
    assert all(f"the API key AbCd1234 of website {word}" in each[2] for each in found)


def test_a_failing_systemd_is_not_a_host_without_faults(host: Host) -> None:
    host.set("systemctl-status", "1")
    host.set("show", "")
    assert [id_ for id_, _, _ in host.found()] == ["unknown:units"]


def test_a_container_is_not_blamed_for_its_machine_s_clock(host: Host) -> None:
    host.set("virt", "0")
    host.set("clock", "no\n")
    assert host.found() == []


def test_what_is_not_on_this_host_is_not_judged(host: Host) -> None:
    problem(host)
    host.set("edge.pem", "x")
    host.report("backup", {})
    host.values |= {"app": False, "edge": False, "database": False}
    assert host.found() == []


def test_pending_security_updates_are_asked_for_once_a_day_and_only_those(host: Host) -> None:
    line = "Inst {} [1] (2 Debian-Security:12/stable-security [amd64])\n"
    host.set("apt", line.format("openssl") + "Inst bash [1] (2 Debian:12/stable [amd64])\n")
    (_, (id_, level, _, what)) = host.recorded()
    assert (id_, level, what) == ("updates", "notice", "1 security updates are pending: openssl")
    host.set("apt", "")
    assert len(host.recorded()) == 2, "a day is not over"
    os.utime(host.world / "state/updates", (1, 1))
    assert len(host.recorded()) == 1
    host.set("apt", line.format("nginx") + line.format("openssl"))
    host.set("dpkg-status", "a package was installed")
    os.utime(host.world / "state/updates", (now := time.time() - 60, now))
    assert host.recorded()[1][3] == "2 security updates are pending: nginx (held) openssl"
    os.utime(host.world / "state/updates", (1, 1))
    host.set("apt-status", "100")
    assert host.recorded()[1][0] == "updates-unknown"


def test_since_when_a_trouble_is_there_is_kept_until_it_ends(host: Host) -> None:
    host.health(dead=1)
    host.recorded()
    file = host.world / "state/troubles"
    since = file.read_text().splitlines()[1].split("\t")[2]
    file.write_text(file.read_text().replace(since, "2026-01-01T00:00:00Z"))
    host.health(dead=2)
    host.set("clock", "no\n")
    found = {id_: (since, what) for id_, _, since, *rest in host.recorded() for what in rest}
    assert found["intake-dead"] == ("2026-01-01T00:00:00Z", "2 submissions were put aside and are not leads yet")
    assert found["clock-unsynchronised"][0] != "2026-01-01T00:00:00Z"
    assert {since for id_, _, since, _ in host.run() if id_ == "intake-dead"} == {"2026-01-01T00:00:00Z"}
    host.health()
    host.recorded()
    host.health(dead=1)
    assert host.recorded()[-1][2] != "2026-01-01T00:00:00Z"


def test_what_is_over_after_seconds_is_no_trouble_and_what_fails_with_it_is_one(host: Host) -> None:
    """As when a unit restarts, and a second one fails meanwhile."""
    host.set("show", shown({**REDIS, "active": "activating"}))
    host.set("later/show", shown(REDIS, {**TIMER, "active": "failed"}))
    assert [line[0] for line in host.recorded()] == ["checked", "unit-failed:motorcade-backup.timer"]


def test_a_known_trouble_is_not_waited_for(host: Host) -> None:
    host.set("show", shown({**REDIS, "active": "failed"}))
    host.recorded()
    host.set("later/show", shown(REDIS))
    assert len(host.recorded()) == 2


def test_words_of_others_cannot_break_a_line(host: Host) -> None:
    host.report("ship", {**reports()["ship"], "ok": False, "reason": 'a\tb "c" \\ d ü' + "x" * 1000})
    ((id_, level, _, what),) = host.run()
    assert (id_, level) == ("wal", "alarm")
    assert what.startswith("WAL: a")
    assert what.isascii()
    assert len(what) <= 400


def cases() -> Iterator[tuple[str, object]]:
    """A state, and what its program has reported: each way in which the backups can be unwell."""
    well = reports()
    for name in well:
        yield name, None
        yield name, ["a list"]
        yield name, {"at": stamp()}
        yield name, {**well[name], "ok": False, "reason": 'the store says "no" \\ 403'}
        yield name, {**well[name], "at": stamp(hours=1)}
        yield name, {**well[name], "at": stamp(days=3)}
    for text in ("by hand", "", label(hours=25), label(hours=27), f"{label(days=9)}_{label(hours=3)[:-1]}D"):
        yield "backup", {**well["backup"], "label": text}
        yield "backup", {**well["backup"], "label": text, "ok": False, "reason": "no"}


@pytest.mark.parametrize(("name", "said"), list(cases()))
def test_backups_are_judged_as_pages_and_status_judge_them(host: Host, name: str, said: object) -> None:
    host.report(name, said)
    lines = [f"{each} {(host.world / f'backups/{each}.json').read_text().strip()}" for each in reports()]
    known: Any = KnownHost(probes={"for each in ship": Answer(0, [stamp(), *lines])})
    known.name = "host"
    expected = [f"host: {what}; docs/services/backup.md" for _, _, what in host.found()]
    assert sorted(expected) == sorted(backup_state.troubles(known, None, None))


def test_a_state_that_is_missing_is_judged_like_one_that_cannot_be_read(host: Host) -> None:
    for name in reports():
        (host.world / f"backups/{name}.json").unlink()
    assert [id_ for id_, _, _ in host.found()] == ["backup", "drill", "dumps", "wal"]
