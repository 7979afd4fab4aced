"""Backups: encrypted in the store, never in the way of a lead, and aloud about what is wrong with them."""

# More than a minute: a store is away or slow for as long as alarms and retries take.

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploys.kit.secrets import Vault
from deploys.services.backup import pgbackrest
from tests.lab.command import until
from tests.lab.deploying import NOTHING, deployed, status
from tests.lab.host import Host
from tests.lab.load import load, sql
from tests.lab.slow import slow_road
from tests.lab.store import PORT

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "20"))
RED_SECONDS = 240  # until a store that is away is told: what is written in half a minute has waited for one
HEAL_SECONDS = 480  # until all is shipped and a gap is closed, at the second try if need be
CIPHERED = b"Salted__"  # how whatever was encrypted with a passphrase begins
UNITS = ("wal-ship", "backup", "backup-stanza", "heartbeat")
SECRETS = ("backup-s3-key-id", "backup-s3-key", "backup-cipher")
SEGMENT_BYTES = 15_000_000  # of 16 MiB: with more it would be two
SEGMENT = f"SELECT pg_logical_emit_message(false, 'lab', repeat('x', {SEGMENT_BYTES})); SELECT pg_switch_wal();"
# As the units see it: the volume under the container's path, and the user who may read the secrets.
PGBACKREST = (
    "systemd-run --quiet --pipe --wait --collect --property=User=motorcade-postgres"
    " --property=RuntimeDirectory=motorcade-backup --property=RuntimeDirectoryPreserve=yes"
    f" --property=BindReadOnlyPaths=/srv/motorcade/volumes/postgres:/var/lib/postgresql {pgbackrest.PGBACKREST}"
)


@pytest.fixture(scope="module")
def host(platform: Host) -> Host:
    return platform


@pytest.fixture
def _store_returns(host: Host) -> Iterator[None]:
    """However the test has left it, the store is as it shall be."""
    yield
    host.store.stop()
    host.store.start()
    assert until(lambda: well(host), HEAL_SECONDS), said(host, "ship")


def said(host: Host, name: str) -> dict[str, Any]:
    text = host.root(f"cat {pgbackrest.STATE}/{name}.json").stdout
    found: dict[str, Any] = json.loads(text)
    return found


def well(host: Host) -> bool:
    """Everything that was in the spool is in the store, and nothing is missing between."""
    left = host.root(f"ls {pgbackrest.SPOOL}").stdout.split()
    return left == ["on"] and bool(said(host, "ship")["ok"])


def reason(host: Host, words: str) -> Callable[[], bool]:
    return lambda: words in str(said(host, "ship")["reason"])


def fill(host: Host) -> None:
    """One more segment, full to its end, lies in the spool or was dropped."""
    before = sql(host, "SELECT last_archived_wal FROM pg_stat_archiver")
    sql(host, SEGMENT)
    assert until(lambda: sql(host, "SELECT last_archived_wal FROM pg_stat_archiver") > before, 30)


def gap(host: Host) -> bool:
    return host.root(f"[ -f {pgbackrest.SPOOL}/gap ]", check=False).returncode == 0


def values(host: Host) -> list[str]:
    vault = Vault(host.directory / "secrets", host.directory / "identity.txt")
    return [vault.reveal(name) for name in SECRETS]


def test_a_second_run_changes_nothing(host: Host) -> None:
    assert deployed(host, "plat_08").did == NOTHING


def test_a_host_that_was_off_for_a_day_takes_its_backup_and_proves_it_when_it_boots(host: Host) -> None:
    before = said(host, "backup")["label"], said(host, "drill")["at"]
    # The newest heartbeat in the store is a day old, as it would be.
    host.root("systemctl stop motorcade-heartbeat.timer motorcade-heartbeat.service")
    sql(host, "UPDATE backup.heartbeat SET at = at - interval '1 day'")
    fill(host)
    assert until(lambda: well(host), 60), said(host, "ship")
    host.root("touch --date='2 days ago' /var/lib/systemd/timers/stamp-motorcade-*.timer")
    host.shut_down()
    host.boot()
    assert until(lambda: said(host, "drill")["at"] > before[1], HEAL_SECONDS)
    backup, drill = said(host, "backup"), said(host, "drill")
    assert (backup["ok"], backup["label"] > before[0]) == (True, True), backup
    assert (drill["ok"], drill["label"]) == (True, backup["label"]), drill
    assert host.root("systemctl is-system-running --wait", seconds=120).stdout.strip() == "running"


def test_what_lies_in_the_store_is_encrypted_each_object_of_it(host: Host) -> None:
    listed = host.root(f"{PGBACKREST} repo-ls --recurse --output=json").stdout
    files = [name for name, entry in json.loads(listed).items() if entry["type"] == "file"]
    kinds = {name.rpartition(".")[2] for name in files}
    assert {"info", "manifest", "zst"} <= kinds, kinds
    (info,) = (name for name in files if name.endswith("archive.info"))
    assert CIPHERED.decode() not in host.root(f"{PGBACKREST} repo-get {info}").stdout, "the host can read it"
    script = "".join(f"{PGBACKREST} repo-get --raw {name} | head -c 8; echo;\n" for name in sampled(files))
    begins = host.root(f"{{ {script} }} 2>/dev/null", seconds=120).stdout.splitlines()
    assert set(begins) == {CIPHERED.decode()}


def sampled(files: list[str]) -> list[str]:
    """One of each kind and of each folder, as an object a second is what the store gives."""
    return list({(name.rpartition("/")[0], name.rpartition(".")[2]): name for name in files}.values())


def test_its_secrets_are_in_no_list_of_processes_no_environment_no_state_and_no_log(host: Host) -> None:
    look = (
        "systemctl start --no-block motorcade-backup.service; while :; do"
        " cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n';"
        " [ $(systemctl show -P ActiveState motorcade-backup.service) != inactive ] || break; sleep 0.2; done;"
        f" journalctl --no-pager -o cat; cat {pgbackrest.STATE}/*;"
        " find /var/log/motorcade -type f -exec cat {} +"
    )
    seen = host.root(look, seconds=120).stdout
    assert "pgbackrest" in seen, "it must have looked while a backup was taken"
    assert "backup-cipher" not in seen
    assert [name for name, value in zip(SECRETS, values(host), strict=True) if value in seen] == []
    for name, value in zip(SECRETS, values(host), strict=True):
        found = host.root(
            f"grep -rlF -f - /etc /srv/motorcade/spool {pgbackrest.STATE} /usr/local /var/lib/motorcade || true",
            given=value,
        ).stdout.split()
        assert found == [f"{pgbackrest.SETTINGS}/conf.d/secrets.conf"], name


@pytest.mark.parametrize("unit", UNITS)
def test_its_units_have_no_right_that_they_do_not_need(host: Host, unit: str) -> None:
    shown = host.root(f"systemd-analyze security motorcade-{unit}.service | tail -n 1").stdout
    assert float(shown.split(":")[1].split()[0]) <= 2.0, shown


def test_the_manifest_of_a_backup_tells_of_every_table_that_has_leads(host: Host) -> None:
    label = said(host, "backup")["label"]
    told = sql(host, f"SELECT name FROM backup.manifests WHERE label = '{label}'").splitlines()
    tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = 'app'"
    assert sorted(told) == sorted(sql(host, tables).splitlines())
    assert float(sql(host, "SELECT extract(epoch FROM now() - at) FROM backup.heartbeat")) < 30


def test_after_a_start_of_postgresql_its_wal_reaches_the_store_as_before(host: Host) -> None:
    host.root("systemctl restart motorcade-postgres", seconds=120)
    ready = "podman exec motorcade-postgres pg_isready"
    assert until(lambda: host.root(ready, check=False).returncode == 0, 60)
    # What the shutdown wrote is handed over at once; for the next one the checkpointer could take 15 minutes.
    later = "last_archived_time > pg_postmaster_start_time() + interval '10 seconds'"
    assert until(lambda: sql(host, f"SELECT {later} FROM pg_stat_archiver") == "t", 90)


def test_a_backup_under_load_refuses_no_lead(host: Host, times: dict[str, float]) -> None:
    with load(host) as callers:
        host.root("systemctl start motorcade-backup.service", seconds=600)
    assert callers.accepted
    assert callers.failed == []
    times["the longest answer while a backup was taken"] = callers.longest


@pytest.mark.usefixtures("_store_returns")
def test_a_store_that_is_away_costs_no_lead_and_is_told_before_anything_is_lost(host: Host) -> None:
    before = said(host, "backup")["label"]
    with load(host) as callers:
        host.store.stop()
        for _ in range(said(host, "ship")["cap_bytes"] // 2 // SEGMENT_BYTES + 1):
            fill(host)
        assert until(reason(host, "the spool is more than half full"), RED_SECONDS)
        assert not gap(host), "the alarm comes first"
        assert status(host)[0] == 1
        assert until(lambda: filled(host, "WAL is lost from"), RED_SECONDS)
        assert until(reason(host, "a segment has waited for more than a minute"), RED_SECONDS)
        used = int(host.root(f"du -s --block-size=1 {pgbackrest.SPOOL} | cut -f 1").stdout)
        assert used <= said(host, "ship")["cap_bytes"]
        host.store.start(keys=("another-user-of-it", "a-key-that-is-nobody-s-in-the-lab"))
        assert until(reason(host, "403"), RED_SECONDS), said(host, "ship")
        time.sleep(OUTAGE_SECONDS)
        host.store.stop()
        host.store.start()
        assert until(lambda: well(host), HEAL_SECONDS), said(host, "ship")
    assert callers.accepted
    assert callers.failed == []
    after = said(host, "backup")
    assert after["ok"]
    assert after["label"] > before, "a new backup begins after the gap"
    assert status(host)[0] == 0


def filled(host: Host, words: str) -> bool:
    """Whether it is told; one more segment when not."""
    if reason(host, words)():
        return True
    fill(host)
    return False


@pytest.mark.usefixtures("_store_returns")
def test_a_slow_store_costs_no_lead_and_what_waits_is_caught_up_with(host: Host) -> None:
    with load(host) as callers:
        with slow_road(host.network, PORT, bytes_per_second=500):
            fill(host)
            time.sleep(OUTAGE_SECONDS)
            assert not well(host), "it was slow indeed"
        assert until(lambda: well(host), HEAL_SECONDS), said(host, "ship")
    assert callers.accepted
    assert callers.failed == []
