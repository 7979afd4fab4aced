"""Alerts: what fails on a host is received outside it, as one message, and so is its end."""

# More than a minute: between two messages there is one.

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploys.kit.secrets import Vault
from deploys.services.alerts import WEBHOOK, alerts, samples
from deploys.services.backup import pgbackrest
from tests.lab.command import until
from tests.lab.deploying import NOTHING, deploy, deployed, sentence, status
from tests.lab.host import Host
from tests.webhooks import verified

RECEIVED_SECONDS = 150  # a message in the minute before delays the next one
FULL = "/srv/motorcade/lab-full"
STORM = [f"motorcade-lab-{number:02}.service" for number in range(20)]
FAIL = "systemd-run --quiet --unit={} false"
# What a person could do to a host -> how it ends, and the alerts that it makes.
BROKEN = {
    FAIL.format("motorcade-lab-fails.service"): (
        "systemctl reset-failed motorcade-lab-fails.service",
        ("unit-failed:motorcade-lab-fails.service",),
    ),
    "systemctl stop motorcade-leadgen-worker": (
        "systemctl start motorcade-leadgen-worker",
        ("unit-stopped:motorcade-leadgen-worker.service", "intake-health"),
    ),
    f"mkdir {FULL} && mount -t tmpfs -o size=1m small {FULL} && head -c 960K /dev/zero >{FULL}/fill": (
        f"umount {FULL} && rmdir {FULL}",
        (f"disk-bytes:{FULL}",),
    ),
    f'cd {pgbackrest.STATE} && cp -p backup.json lab && sed -i \'s/"label": "[^"]*"/"label": "20260101-010203F"/\''
    " backup.json": (f"cd {pgbackrest.STATE} && mv lab backup.json", ("backup",)),
}


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    return platform


@pytest.fixture
def _quiet(host: Host) -> Iterator[None]:
    """Nothing is wrong, before and after."""
    assert until(lambda: troubles(host) == [], RECEIVED_SECONDS), troubles(host)
    yield
    assert until(lambda: troubles(host) == [], RECEIVED_SECONDS), troubles(host)


def troubles(host: Host) -> list[str]:
    """Ids of the alarms that the host finds now."""
    lines = host.root(alerts.CHECK).stdout.splitlines()
    return [line.split("\t")[0] for line in lines if line.split("\t")[1] == "alarm"]


def reported(host: Host, ids: list[str], since: int = 0) -> Callable[[], bool]:
    """Whether one message since then has all of these."""
    return lambda: any(
        set(ids) <= {each["id"] for each in document["data"]["troubles"]}
        for document in host.receiver.documents()[since:]
    )


def over(host: Host, ids: list[str], since: int) -> Callable[[], bool]:
    """Whether the last message since then has none of them."""

    def is_over() -> bool:
        later = host.receiver.documents()[since:]
        return bool(later) and not {each["id"] for each in later[-1]["data"]["troubles"]} & set(ids)

    return is_over


def test_a_second_run_changes_nothing_and_a_test_alert_is_received_and_signed(host: Host) -> None:
    assert deployed(host, "plat_09").did == NOTHING
    before = len(host.receiver.received())
    deployed(host, "plat_09", data={"verify": "again"})
    secret = Vault(host.directory / "secrets", host.directory / "identity.txt").reveal(WEBHOOK)
    tests = [
        each for each in host.receiver.received()[before:] if json.loads(each["body"])["type"] == "alerts.test"
    ]
    assert len(tests) == 1
    assert verified(tests[0]["headers"], tests[0]["body"].encode(), secret)


@pytest.mark.usefixtures("_quiet")
def test_what_fails_is_received_and_so_is_its_end(host: Host) -> None:
    before = len(host.receiver.documents())
    ids = [id_ for _, found in BROKEN.values() for id_ in found]
    for broken in BROKEN:
        host.root(broken)
    try:
        assert until(reported(host, ids, before), RECEIVED_SECONDS), host.receiver.documents()[before:]
        code, found = status(host)
        assert code == 1
        assert any(f"of the bytes of {FULL} are in use" in trouble for trouble in found["services"]["alerts"])
    finally:
        for repair, _ in BROKEN.values():
            host.root(repair)
    assert until(over(host, ids, before), RECEIVED_SECONDS), host.receiver.documents()[before:]


@pytest.mark.usefixtures("_quiet")
def test_a_storm_of_failing_units_is_one_message_at_once(host: Host) -> None:
    before = len(host.receiver.documents())
    ids = [f"unit-failed:{unit}" for unit in STORM]
    try:
        host.root("; ".join(FAIL.format(unit) for unit in STORM))
        assert until(reported(host, ids, before), RECEIVED_SECONDS), host.receiver.documents()[before:]
        new = [each for each in host.receiver.documents()[before:] if each["type"] == "alerts.changed"]
        assert len(new) == 1
    finally:
        host.root(f"systemctl reset-failed {' '.join(STORM)}")
    assert until(over(host, ids, before), RECEIVED_SECONDS)


@pytest.mark.usefixtures("_quiet")
def test_what_a_receiver_misses_it_gets_when_it_is_back_and_a_page_says_that_it_is_away(host: Host) -> None:
    before = len(host.receiver.documents())
    (broken, (repair, ids)), *_ = BROKEN.items()
    host.receiver.stop()
    try:
        host.root(broken)
        assert until(lambda: "channel:webhook" in troubles(host), RECEIVED_SECONDS), troubles(host)
        red = deploy(host, "plat_09", data={"verify": "again"})
        assert red.code != 0
        assert "webhook: curl: (7)" in sentence(red.output)
    finally:
        host.receiver.start()
        host.root(repair)
    assert until(reported(host, list(ids), before), RECEIVED_SECONDS), host.receiver.documents()[before:]
    deployed(host, "plat_09")
    assert until(over(host, [*ids, "channel:webhook", "page-red:PLAT_09"], before), RECEIVED_SECONDS)


def test_what_the_check_measures_is_on_the_page_of_the_last_day(host: Host, tmp_path: Path) -> None:
    def after_a_check() -> list[samples.Sample]:
        host.root("systemctl start motorcade-alerts-check.service")
        return list(samples.parse(host.root(f"cat {alerts.SAMPLES}").stdout.splitlines()))

    last = after_a_check()[-1].values
    assert set(last) == {"alarms", "disk", "ready", "ready_ms", "queue", "oldest", "dead", "accepted"}
    assert (last["ready"], last["dead"]) == (200, 0)
    assert last["accepted"] > 0, "the pages have sent synthetic leads"
    page = tmp_path / "status.html"
    line = [
        sys.executable,
        "-m",
        "deploys.status",
        "inventories/lab.py",
        "--limit",
        host.name,
        "--html",
        str(page),
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    for words in ("All is well", host.name, "Ready for leads: yes now", "Time to say ready", "Accepted in 10 min"):
        assert words in text
    before = after_a_check()
    host.root(f"truncate --size=-20 {alerts.SAMPLES}")  # as a kill leaves it
    later = after_a_check()
    assert (later[: len(before) - 1], len(later) >= len(before)) == (before[:-1], True)


@pytest.mark.parametrize("unit", alerts.SERVICES)
def test_its_units_have_no_right_that_they_do_not_need(host: Host, unit: str) -> None:
    shown = host.root(f"systemd-analyze security {unit} | tail -n 1").stdout
    assert float(shown.split(":")[1].split()[0]) <= 2.5, shown


def test_the_handler_is_on_every_unit_but_those_of_the_alerts(host: Host) -> None:
    look = "systemctl show -P OnFailure"
    for unit in ("motorcade-redis", "motorcade-backup", "motorcade-leadgen-api", "nginx"):
        assert host.root(f"{look} {unit}.service").stdout.strip() == f"motorcade-alert@{unit}.service"
    for unit in (*alerts.SERVICES, "motorcade-alert@x.service"):
        assert host.root(f"{look} {unit}").stdout.strip() == ""
