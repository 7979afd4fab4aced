"""From a bare Debian to a PostgreSQL that joins the boot, and then nothing more to do, in whatever order."""

# More than a minute: each change by hand is followed by a run of nine pages.

import base64
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from tests.lab import recorded_line
from tests.lab.deploying import FOUNDATION, NOTHING, UNLOCK, deploy, deployed, included, record, state, status
from tests.lab.host import Host
from tests.lab.load import sql

CANARY = "Dolores-Canary-Quillfeather"


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    """A host on which the pages ran in order, each by itself."""
    return lab("foundation")


def test_every_page_is_green_on_record_after_its_first_run(host: Host) -> None:
    events = [(line["event"], line["pages"]) for line in record(host)]
    expected = [(event, [page.upper()]) for page in FOUNDATION for event in ("STARTED", "OK")]
    assert events == expected


def test_all_of_them_again_change_nothing(host: Host, times: dict[str, float]) -> None:
    before = state(host)
    began = time.monotonic()
    ended = included(host)
    times["nine pages, nothing to do"] = time.monotonic() - began
    assert ended.did == NOTHING
    assert ended.line["pages"] == [page.upper() for page in FOUNDATION]
    assert state(host) == before


def test_nothing_listens_but_ssh_and_the_names_of_the_inner_network(host: Host) -> None:
    listening = set(host.root("ss -Hltun | awk '{print $5}'").stdout.split())
    assert listening - {"0.0.0.0:22", "[::]:22"} == {"10.89.10.1:53"}


def test_the_container_has_no_rights_it_does_not_need(host: Host) -> None:
    form = "{{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}} {{.HostConfig.SecurityOpt}} {{.Config.User}}"
    seen = host.root(f"podman inspect --format '{form}' motorcade-postgres").stdout.split()
    assert seen == ["true", "[]", "[no-new-privileges]", "10001:10001"]
    limits = host.root("systemctl show -p MemoryMax -p TasksMax -p CPUQuotaPerSecUSec motorcade-postgres").stdout
    assert sorted(limits.split()) == ["CPUQuotaPerSecUSec=2s", f"MemoryMax={512 << 20}", "TasksMax=512"]


def test_postgres_is_back_after_the_host_was_switched_off_and_on(host: Host) -> None:
    host.power_off()
    host.boot()
    ready = "podman exec motorcade-postgres pg_isready -q"
    host.root(f"for i in $(seq 60); do {ready} && exit; sleep 0.5; done; exit 1")
    ended = included(host)
    assert ended.did == NOTHING


def test_a_container_removed_and_a_network_removed_by_hand_are_back_after_the_next_run(host: Host) -> None:
    before = state(host)
    host.root("systemctl stop motorcade-postgres && podman network rm --force motorcade-core")
    included(host)
    assert state(host) == before


def test_a_file_edited_by_hand_is_seen_by_status_and_put_right_by_its_page(host: Host) -> None:
    before = state(host)
    assert drift(host) == []
    host.root("echo '# by hand' >> /etc/motorcade/postgres/pg_hba.conf; rm /etc/containers/storage.conf")
    assert sorted(drift(host)) == [
        "/etc/containers/storage.conf is gone",
        "/etc/motorcade/postgres/pg_hba.conf was changed",
    ]
    included(host)
    assert drift(host) == []
    assert state(host) == before


def drift(host: Host) -> list[str]:
    """Every drift that the status tells of; it ends with 1 in any case, as most pages have not run here."""
    _, found = status(host)
    return [drift for page in found["pages"] for drift in page["drift"]]


def test_a_rotated_password_is_preceded_by_a_backup_and_reaches_the_role(host: Host) -> None:
    sql(host, f"CREATE TABLE app.people_of_the_lab AS SELECT '{CANARY}'::text AS name")
    rotate(host, "postgres-ro")
    deployed(host, "plat_03")
    (backup,) = record(host)[-1]["backups"]
    assert host.root(f"ls {backup['path']}").stdout.split() == ["counts", "motorcade.age", "restore.sh"]
    assert host.root(f"cat {backup['path']}/counts").stdout == "app.people_of_the_lab 1\n"
    assert host.root("find /srv/motorcade/backups -name '*.scratch' -o -name '*.new'").stdout == ""
    sealed = base64.b64decode(host.root(f"base64 {backup['path']}/motorcade.age").stdout)
    assert sealed.startswith(b"age-encryption.org/v1\n")
    found = host.root(f"grep -rl {CANARY} /srv/motorcade/backups /tmp /var/tmp", check=False)
    assert (found.returncode, found.stdout) == (1, "")
    deployed(host, "plat_04a", data={**UNLOCK, "verify": "again"})
    assert included(host).did == NOTHING


def test_an_encrypted_dump_is_put_back_by_the_line_on_record(host: Host, tmp_path: Path) -> None:
    """The identity stays where the operator is; on the host there is only what goes through the pipe."""
    backups = [backup for line in record(host) for backup in line.get("backups", [])]
    backup = next(backup for backup in backups if backup["path"].endswith("PLAT_03"))
    assert CANARY.encode() not in base64.b64decode(host.root(f"base64 {backup['path']}/motorcade.age").stdout)
    sql(host, "DROP TABLE app.people_of_the_lab")
    before = sql(host, "SELECT count(*) FROM pg_database")
    (tmp_path / "stranger").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    refused = recorded_line.run(host, backup["restore"], tmp_path, tmp_path / "stranger")
    assert (refused.returncode, refused.stdout.rpartition("; ")[2]) == (1, "nothing was changed\n"), refused.stderr
    assert sql(host, "SELECT count(*) FROM pg_database") == before
    done = recorded_line.run(host, backup["restore"], tmp_path)
    assert done.returncode == 0, done.stderr
    (aside,) = re.findall(r"the previous database is now (\S+);", done.stdout)
    assert sql(host, "SELECT name FROM app.people_of_the_lab") == CANARY
    host.root(f"podman exec motorcade-postgres dropdb {aside}")
    sql(host, "DROP TABLE app.people_of_the_lab")
    included(host)


def rotate(host: Host, name: str) -> None:
    directory = host.directory / "secrets"
    words = [sys.executable, "-m", "deploys.kit.secrets", "rotate", "lab", name, "--directory", str(directory)]
    subprocess.run(words, check=True, capture_output=True, timeout=30)


def test_an_unlock_is_recorded_with_its_reason(host: Host) -> None:
    before = state(host)
    refused = deploy(host, "plat_04a")
    assert refused.code == 1
    assert "PLAT_04A: the page is locked since it passed" in refused.output
    deployed(host, "plat_04a", data=UNLOCK)
    started = record(host)[-2]
    assert (started["event"], started["notes"]) == ("STARTED", {"PLAT_04A": UNLOCK})
    assert state(host) == before
