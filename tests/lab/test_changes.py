"""Changes on a host that serves: backed up first, reversible by the printed line, and never half there."""

# More than a minute: each change is one to three runs of pages, and one test reads the whole disk.

import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest

from tests.lab import recorded_line
from tests.lab.deploying import NOTHING, UNLOCK, deploy, deployed, include, included, record, sentence, state
from tests.lab.host import Host

PAGE = """
from deploys.kit.operations.hostfiles import HostFile
from deploys.kit.quadlet import linter, quadlet
from deploys.kit.run import page
this = page.begin("PLAT_02A")
linter.lint = {lint}
quadlet.install(this, "motorcade-probe", [HostFile("/etc/containers/systemd/motorcade-probe.container", {text!r})])
"""
UNIT = """[Unit]
StartLimitIntervalSec=60
StartLimitBurst=5
[Container]
ContainerName=motorcade-probe
Image=localhost/motorcade-probe:1-0123456789ab
Pull=never
Label=motorcade.config=0
LogDriver=k8s-file
LogOpt=path=/var/log/motorcade/probe/container.log
LogOpt=max-size=1mb
StopTimeout=5
{line}
[Service]
Restart=always
RestartSec=2
TimeoutStartSec=30
TimeoutStopSec=30
MemoryMax=64M
TasksMax=16
CPUQuota=10%
"""


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab("foundation")


def test_changed_settings_are_backed_up_and_the_printed_line_restores_them(host: Host) -> None:
    before = state(host)
    less = {"postgres_max_connections": "50"}
    ended = deployed(host, "plat_02b", "plat_02c", data=less)
    assert show(host, "max_connections") == "50"
    (backup,) = ended.line["backups"]
    assert f"to go back: {backup['restore']}" in ended.output.replace("\n", " ")
    host.ssh(backup["restore"], seconds=120)
    host.root(
        "for i in $(seq 60); do podman exec motorcade-postgres pg_isready -q && exit; sleep 0.5; done; exit 1"
    )
    assert show(host, "max_connections") == "100"
    assert without_steps(state(host)) == without_steps(before)
    included(host)
    assert state(host) == before


def show(host: Host, setting: str) -> str:
    psql = "podman exec motorcade-postgres psql --tuples-only --no-align --dbname=postgres"
    return host.root(f"{psql} --command='SHOW {setting}'").stdout.strip()


def without_steps(text: str) -> str:
    """What the kit knows of its pages is not restored with the files."""
    return text.partition("# passed")[0]


@pytest.fixture
def made_page(host: Host) -> Iterator[Path]:
    path = host.directory.relative_to(Path.cwd()) / "made_page.py"
    yield path
    path.unlink()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Memory=64m", "Memory"),
        ("PublishPort=0.0.0.0:8000:8000", "PublishPort"),
        ("LogDriver=journald", "LogDriver"),
    ],
    ids=["unknown key", "public port", "journald"],
)
def test_a_unit_that_breaks_a_rule_never_reaches_the_host(
    host: Host, made_page: Path, line: str, words: str
) -> None:
    before = state(host)
    made_page.write_text(PAGE.format(lint="linter.lint", text=UNIT.format(line=line)))
    ended = deploy(host, f"../{made_page.with_suffix('')}")
    assert ended.code == 1
    assert words in sentence(ended.output)
    assert state(host) == before


def test_a_unit_that_the_linter_would_miss_is_stopped_by_the_generator_of_the_host(
    host: Host, made_page: Path
) -> None:
    before = state(host)
    made_page.write_text(PAGE.format(lint="lambda files: []", text=UNIT.format(line="NoSuchKey=1")))
    ended = deploy(host, f"../{made_page.with_suffix('')}")
    assert ended.code == 1
    assert "NoSuchKey" in ended.output
    assert record(host)[-1]["event"] == "FAILED"
    assert without_steps(state(host)) == without_steps(before)
    included(host)
    assert state(host) == before


STORE = "/var/lib/containers/storage/secrets/filedriver/secretsdata.json"
# How Podman mounts a secret into a container: a copy in its own storage, for root only, gone with the container.
MOUNTED = re.compile(
    r"/(run|var/lib)/containers/storage/overlay-containers/[0-9a-f]{64}/userdata/secrets/motorcade-[a-z-]+"
)
WATCH = """
while [ -e /dev/shm/watch ]; do
    cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -cF -f /dev/shm/patterns
done > /dev/shm/seen
"""


@contextmanager
def watching(host: Host, patterns: str) -> Iterator[None]:
    """Looks at arguments and environment of every process on the host, again and again, until the end."""
    host.root("cat > /dev/shm/patterns", given=patterns)
    host.root("cat > /dev/shm/watch; setsid sh /dev/shm/watch </dev/null >/dev/null 2>&1 &", given=WATCH)
    yield
    host.root("rm /dev/shm/watch; sleep 1")


def seen(host: Host) -> tuple[int, int]:
    """How often a pattern was seen, and how many times was looked."""
    hits, looks = host.root("awk '{ hits += $1 } END { print hits + 0, NR }' /dev/shm/seen").stdout.split()
    return int(hits), int(looks)


def test_no_secret_is_anywhere_but_in_the_secret_store(host: Host) -> None:
    rotated = [sys.executable, "-m", "deploys.kit.secrets", "rotate", "lab", "postgres-app"]
    subprocess.run([*rotated, "--directory", str(host.directory / "secrets")], check=True, timeout=30)
    plain = [reveal(host, f"postgres-{role}") for role in ("owner", "api", "app", "ro")]
    plain += [reveal(host, f"redis-{user}") for user in ("operator", "bell", "worker")]
    # Podman keeps a secret in base64: found there, it shows that the search does find.
    patterns = "".join(f"{value}\n{b64encode(value.encode()).decode()}\n" for value in plain)
    with watching(host, patterns):
        loud = deploy(host, "plat_03", "plat_08b", "plat_08c", data={"verify": "again"}, words=("-vvv", "--diff"))
    assert loud.code == 0
    hits, looks = seen(host)
    assert hits == 0
    assert looks > 20
    with watching(host, "made-up-and-seen\n"):
        host.root("sleep 1; : made-up-and-seen")
    assert seen(host)[0] > 0, "the watch must see what is there"
    local = "".join(path.read_text() for path in (host.directory / "deployments").rglob("*") if path.is_file())
    for value in plain:
        assert value not in loud.output + local
    *found, journal = host.root(
        "cat > /dev/shm/patterns;"
        " grep -rlF -f /dev/shm/patterns / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev 2>/dev/null;"
        " journalctl --no-pager | grep -cF -f /dev/shm/patterns; rm /dev/shm/patterns /dev/shm/seen",
        given=patterns,
        check=False,
        seconds=300,
    ).stdout.split()
    assert journal == "0"
    mounted = [file for file in found if MOUNTED.fullmatch(file)]
    assert set(found) - set(mounted) == {STORE}
    for file in mounted:
        assert host.ssh(f"cat {file}", check=False).returncode != 0, "it is for root only"


def reveal(host: Host, name: str) -> str:
    identity = next(
        line
        for line in (host.directory / "identity.txt").read_text().splitlines()
        if line.startswith("AGE-SECRET-KEY")
    )
    cipher = (host.directory / "secrets" / f"{name}.age").read_bytes()
    return bytes(pyrage.decrypt(cipher, [pyrage.x25519.Identity.from_str(identity)])).decode()


def test_the_record_verifies_and_a_tampered_line_is_found(host: Host, tmp_path: Path) -> None:
    copy = tmp_path / "record.jsonl"
    copy.write_text(host.root("cat /var/lib/motorcade/record.jsonl").stdout)
    log = host.directory / "deployments"
    assert verify(copy, *log.glob("*.md")).returncode == 0
    lines = copy.read_text().splitlines(keepends=True)
    assert '"OK"' in lines[1]
    copy.write_text("".join([lines[0], lines[1].replace('"OK"', '"FAILED"'), *lines[2:]]))
    found = verify(copy)
    assert found.returncode == 1
    assert "line 2: changed since line 3 was chained to it" in found.stdout + found.stderr


def test_the_log_of_deploys_tells_people_the_same_story(host: Host) -> None:
    log = "".join(path.read_text() for path in sorted((host.directory / "deployments").glob("*.md")))
    for line in record(host):
        if line["event"] != "STARTED":
            assert line["run"] in log
            assert all(page in log for page in line["pages"])
            assert all(backup["restore"] in log for backup in line["backups"])


def verify(*paths: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "deploys.kit.run.record", "verify", *map(str, paths)]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


def test_a_locked_page_whose_file_was_changed_says_so_and_leaves_it(host: Host) -> None:
    drop_in = "/etc/containers/systemd/motorcade-postgres.container.d/20-boot.conf"
    host.root(f"echo '# by hand' >> {drop_in}")
    ended = include(host)
    assert ended.code == 1
    assert "differs from the page, and the page is locked" in sentence(ended.output)
    assert "# by hand" in host.root(f"cat {drop_in}").stdout
    deployed(host, "plat_04a", data=UNLOCK)
    assert "# by hand" not in host.root(f"cat {drop_in}").stdout
    assert included(host).did == NOTHING


def test_a_gate_that_is_not_green_ends_red_within_its_bound(host: Host) -> None:
    ended = deploy(host, "plat_02a", data={"core_subnet": "10.99.10.0/24"})
    assert ended.code == 1
    assert "not green within" in ended.output
    line = record(host)[-1]
    assert (line["event"], "network" in line["failed_operation"]) == ("FAILED", True)
    assert "PLAT_02A has been red since" in sentence(deploy(host, "plat_02b").output)
    included(host)
    assert included(host).did == NOTHING


def test_a_right_that_somebody_granted_is_seen_by_the_page_and_taken_back(host: Host) -> None:
    before = state(host)
    psql = "podman exec motorcade-postgres psql --quiet --dbname=motorcade --command="
    host.root(f"{psql}'GRANT CREATE ON SCHEMA app TO motorcade_ro'")
    ended = included(host)
    assert "PLAT_03 | roles and rights" in "".join(ended.changes)
    assert record(host)[-1]["backups"]
    assert state(host) == before


def test_a_role_of_an_earlier_release_is_dropped(host: Host) -> None:
    before = state(host)
    psql = "podman exec --interactive motorcade-postgres psql --quiet --dbname=motorcade --set=ON_ERROR_STOP=1"
    given = "CREATE ROLE motorcade_backup LOGIN; GRANT pg_read_all_data TO motorcade_backup;"
    host.root(psql, given=f"{given} GRANT CONNECT ON DATABASE motorcade TO motorcade_backup")
    assert "PLAT_03 | roles and rights" in "".join(included(host).changes)
    assert state(host) == before


def test_a_role_that_may_too_much_turns_the_active_check_red(host: Host) -> None:
    psql = "podman exec motorcade-postgres psql --quiet --dbname=motorcade --command="
    host.root(f"{psql}'GRANT SELECT ON pg_authid TO motorcade_app'")
    check = deploy(host, "plat_03", data={"verify": "again"})
    host.root(f"{psql}'REVOKE SELECT ON pg_authid FROM motorcade_app'")
    assert check.code == 1
    assert "motorcade_app was allowed: SELECT rolpassword FROM pg_authid" in sentence(check.output)
    deployed(host, "plat_03")
    assert included(host).did == NOTHING


def test_the_printed_line_restores_the_database_although_newer_things_are_in_it(
    host: Host, tmp_path: Path
) -> None:
    def sql(text: str) -> str:
        ask = (
            "podman exec --interactive motorcade-postgres psql --quiet --tuples-only --no-align --dbname=motorcade"
        )
        return host.root(f"{ask} --set=ON_ERROR_STOP=1", given=text).stdout.strip()

    before = state(host)
    sql("CREATE TABLE app.kept (words text, id int)")
    sql("INSERT INTO app.kept VALUES ('COPY x', 1), ('y', 2), (null, 3)")
    rotated = [sys.executable, "-m", "deploys.kit.secrets", "rotate", "lab", "postgres-app"]
    subprocess.run([*rotated, "--directory", str(host.directory / "secrets")], check=True, timeout=30)
    (backup,) = deployed(host, "plat_03").line["backups"]
    sql("DELETE FROM app.kept; CREATE TABLE app.newer (id int); CREATE VIEW app.seen AS SELECT * FROM app.kept")
    done = recorded_line.run(host, backup["restore"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert sql("SELECT count(*) FROM app.kept") == "3"
    assert sql("SELECT to_regclass('app.newer') IS NULL") == "t"
    aside = done.stdout.rpartition("previous database is now ")[2].split(";")[0]
    sql(f"DROP TABLE app.kept; DROP DATABASE {aside}")
    assert "PLAT_03 | roles and rights" in deployed(host, "plat_03").changes
    assert included(host).did == NOTHING
    assert len(state(host)) == len(before)


def test_a_lost_volume_is_not_replaced_by_an_empty_database(host: Host) -> None:
    before = state(host)
    data = "/srv/motorcade/volumes/postgres/17"
    host.root(f"systemctl stop motorcade-postgres; mv {data} {data}.away", seconds=120)
    lost = include(host)
    assert lost.code == 1
    assert "17/data is gone, although a database has existed since" in sentence(lost.output)
    host.root(f"rm -rf {data}; mv {data}.away {data}")
    included(host)
    assert state(host) == before


def test_a_server_that_started_with_files_edited_by_hand_is_restarted_with_ours(host: Host) -> None:
    host.root(
        "sed -i 's/scram-sha-256/trust/' /etc/motorcade/postgres/pg_hba.conf;"
        " echo 'fsync = off' >> /etc/motorcade/postgres/postgresql.conf; systemctl restart motorcade-postgres",
        seconds=120,
    )
    host.root(
        "for i in $(seq 60); do podman exec motorcade-postgres pg_isready -q && exit; sleep 0.5; done; exit 1"
    )
    assert show(host, "fsync") == "off"
    included(host)
    assert show(host, "fsync") == "on"
    assert included(host).did == NOTHING
