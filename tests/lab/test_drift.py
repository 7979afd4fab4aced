"""Drift made by hand is found and named, and gone after what it says was done; looking changes nothing."""

# More than a minute: two looks at everything, and the pages that bring back what was changed.

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from deploys.services.nginx import limits
from tests.lab import certificates
from tests.lab.deploying import deploy, deployed, everything, state
from tests.lab.differences import look
from tests.lab.host import Host
from tests.lab.load import sql

REDIS = "motorcade-redis"
HAND = "/etc/containers/systemd/motorcade-leadgen-worker.container.d/99-hand.conf"
KEYS = "/etc/motorcade/leadgen/api-keys"
SWEEPER = "motorcade-leadgen-sweeper.service"
WATCH = "/etc/systemd/system/motorcade-redis-healthcheck.timer"
LOAD = "sudo systemctl restart motorcade-nginx-limits"
SOON = (datetime.now(UTC) + timedelta(days=3)).strftime("%FT%TZ")

# What is done by hand, in one go.
BY_HAND = f"""
set -eu
echo '# edited' >>{WATCH}
systemctl daemon-reload
echo '# edited' >>/etc/motorcade/redis/redis.conf
printf '[Service]\\nNice=5\\n' >{HAND}
systemctl mask {SWEEPER}
systemctl disable motorcade-leadgen-watchdog.timer
nft delete table inet motorcade_edge
image=$(podman inspect --format '{{{{.ImageName}}}}' {REDIS})
podman tag "$(podman commit --quiet {REDIS})" "$image"
systemctl restart {REDIS}.service
podman run --detach --name by-hand --network none --volume by-hand-volume:/var/lib/redis \
    --stop-signal KILL --entrypoint /bin/sleep "$image" 3600
podman network create by-hand-net
podman pod create --infra=false by-hand-pod
systemd-run --quiet --unit by-hand /usr/bin/systemd-socket-activate --listen 127.0.0.1:9999 /bin/cat
echo 'ABCD1234 website intake {"5a" * 32} {SOON}' >>{KEYS}
podman exec motorcade-postgres psql --quiet --dbname=motorcade --command='ALTER ROLE motorcade_ro CREATEDB'
podman exec --interactive motorcade-postgres psql --quiet --dbname=motorcade <<'SQL'
GRANT DELETE ON app.leads TO motorcade_ro;
GRANT UPDATE ON app.intake_jobs TO motorcade_app;
CREATE TRIGGER lost BEFORE INSERT ON app.consents FOR EACH ROW EXECUTE FUNCTION app.fill_lead_of_v1();
SQL
podman exec motorcade-postgres sh -c 'echo "max_locks_per_transaction = 65
work_mem = 8MB" >>/var/lib/postgresql/17/data/postgresql.auto.conf'
podman exec motorcade-postgres psql --quiet --command='SELECT pg_reload_conf()'
"""
OWNERS = ("plat_02c", "plat_03", "plat_08b", "plat_08c", "plat_08d", "leadgen_02", "leadgen_04", "leadgen_06")


@contextmanager
def certificate_of(host: Host, days: str) -> Iterator[None]:
    """The edge's for so many days, and at the end one for as long as before."""
    folder = host.guest.root / certificates.FOLDER
    certificates.renew(host.directory, folder, days=days)
    try:
        yield
    finally:
        certificates.renew(host.directory, folder)
        host.root("systemctl reload nginx")


def test_what_was_done_by_hand_is_named_and_gone_after_what_drift_says(
    platform: Host, times: dict[str, float]
) -> None:
    before = everything(platform)
    with certificate_of(platform, "5"):
        platform.root("sh -s", given=BY_HAND)
        made = everything(platform)
        code, told, found = look(platform, "--data", "disk_percent_max=1")
        assert (code, told["unseen"]) == (1, [])
        assert everything(platform) == made

    listener = found["listener", "127.0.0.1:9999"]
    process = re.search(r"process (\d+)", listener["what"])
    assert process, listener
    expected = {
        ("file", WATCH): ("was changed", "deploys/plat_08d.py"),
        ("file", "/etc/motorcade/redis/redis.conf"): ("was changed", "deploys/plat_08b.py"),
        ("file", KEYS): ("was changed", "deploys/leadgen_06.py"),
        ("file", HAND): ("was made by no page", f"sudo rm {HAND}; sudo systemctl daemon-reload; sudo systemctl"),
        ("unit", SWEEPER): ("is masked", f"sudo systemctl unmask {SWEEPER}"),
        ("container", "by-hand"): ("was made by no page", "sudo podman container rm --force by-hand"),
        ("network", "by-hand-net"): ("was made by no page", "sudo podman network rm by-hand-net"),
        ("volume", "by-hand-volume"): ("was made by no page", "sudo podman volume inspect by-hand-volume"),
        ("pod", "by-hand-pod"): ("was made by no page", "sudo podman pod rm --force by-hand-pod"),
        ("image", REDIS): ("which was not built here as localhost/motorcade-redis:", "deploys/platform.py"),
        ("listener", "127.0.0.1:9999"): ("systemd-socket-", f"sudo systemctl status {process[1]}"),
        ("edge", f"certificate of {certificates.EDGE}"): ("ends at", "sudo systemctl reload nginx"),
        ("edge", "nginx.service"): ("another configuration", "sudo systemctl reload nginx"),
        ("edge", limits.UNIT): ("the table is not there", LOAD),
        ("key", "API key ABCD1234"): (f"of website expires at {SOON}", "rotate-an-api-key.md"),
        ("disk", "/"): ("the limit is 1", "sudo du"),
        ("page", "PLAT_02C"): (
            "settings by ALTER SYSTEM: max_locks_per_transaction, work_mem",
            "deploys/plat_02c.py",
        ),
        ("page", "LEADGEN_02"): (
            (
                "the schema (found: GRANT DELETE ON table app.leads TO motorcade_ro,"
                " GRANT UPDATE ON table app.intake_jobs TO motorcade_app, trigger CREATE TRIGGER lost BEFORE"
            ),
            "deploys/leadgen_02.py",
        ),
        ("page", "PLAT_03"): ("found: role motorcade_ro login createdb; expected: role", "deploys/plat_03.py"),
        ("page", "PLAT_05"): (
            "nginx.service runs (nginx.service (another configuration))",
            "--data unlock=PLAT_05",
        ),
        ("page", "PLAT_08B"): ("image localhost/motorcade-redis:", "deploys/plat_08b.py"),
        ("page", "PLAT_08D"): (WATCH, "deploys/plat_08d.py"),
        ("page", "LEADGEN_04"): ("motorcade-leadgen-watchdog.timer at boot", "deploys/leadgen_04.py"),
        ("page", "LEADGEN_06"): (KEYS, "deploys/leadgen_06.py"),
    }
    for name, (what, remedy) in expected.items():
        assert what in found[name]["what"], found[name]
        assert remedy in found[name]["remedy"], found[name]
    # Pages that lend or check what another one owns tell of it as well.
    assert {name for name in found if name[0] != "page"} == {name for name in expected if name[0] != "page"}

    for kind in ("file", "unit", "pod", "container", "network"):
        commands = [each["remedy"] for name, each in found.items() if name[0] == kind]
        for command in (each.partition(", then ")[0] for each in commands if each.startswith("sudo ")):
            platform.root(command)
    platform.root(LOAD)
    platform.root("podman volume rm by-hand-volume")
    platform.root(f"systemctl stop $(systemctl status {process[1]} | head -n 1 | grep -o '[a-z-]*[.]service')")
    deployed(platform, *OWNERS)
    began = time.monotonic()
    code, told, _ = look(platform)
    times["drift, nothing to find"] = time.monotonic() - began
    assert (code, told["findings"], told["unseen"]) == (0, [], [])
    strange = found["image", REDIS]["what"].removeprefix("runs ").partition(",")[0]
    platform.root(f"podman image rm {strange}")
    assert running(state(platform)) == running(before)


def test_damaged_records_are_named_and_nothing_is_to_be_removed_until_their_pages_have_run(platform: Host) -> None:
    before, steps = state(platform), "/var/lib/motorcade/steps"
    platform.root(f"echo '{{\"files\":' >{steps}/LEADGEN_06.json; rm {steps}/PLAT_08B.json; touch {HAND}")
    code, told, found = look(platform)
    assert (code, told["unseen"]) == (1, [])
    assert "unreadable record" in found["page", "LEADGEN_06"]["what"]
    assert found["page", "PLAT_08B"]["what"] == "has not passed on this host"
    # A page that stands on it may not run before it.
    assert {name for name in found if name[0] != "page"} == {("file", HAND)}
    assert found["file", HAND]["remedy"] == "deploys/plat_08b.py, then drift again: it may be that page's"
    assert [each["remedy"] for each in told["findings"] if " rm " in each["remedy"]] == []

    deployed(platform, "plat_08b", "leadgen_06")
    code, told, found = look(platform)
    assert (code, list(found)) == (1, [("file", HAND)])
    platform.root(found["file", HAND]["remedy"])
    assert look(platform)[0] == 0
    assert running(state(platform)) == running(before)


def test_a_column_that_somebody_added_is_named_and_stays_until_they_drop_it(platform: Host) -> None:
    sql(platform, "ALTER TABLE app.leads ADD COLUMN extra text")
    try:
        code, _, found = look(platform)
        assert (code, list(found)) == (1, [("page", "LEADGEN_02")])
        assert "(found: column app.leads.extra text)" in found["page", "LEADGEN_02"]["what"]
        ended = deploy(platform, "leadgen_02")
        assert ended.code == 1
        assert "< column app.leads.extra text" in ended.output
        assert "this page does not repair what may hold data: look at it" in ended.output
        assert sql(platform, "SELECT count(extra) FROM app.leads") == "0"
    finally:
        sql(platform, "ALTER TABLE app.leads DROP COLUMN extra")
    deployed(platform, "leadgen_02")
    assert look(platform)[0] == 0


def running(told: str) -> str:
    """Of the state, what does not tell of runs: their backups, and when a page passed."""
    return told.partition("# packages")[2].partition("# passed")[0]


def test_a_host_that_somebody_deploys_to_is_not_judged(platform: Host) -> None:
    lock = "/var/lib/motorcade/lock"
    holder = {
        "run": "run-20260101-000000-0000",
        "who": "a",
        "machine": "b",
        "since": "c",
        "pages": ["D"],
        "pid": 1,
    }
    platform.root(f"mkdir {lock} && cat >{lock}/{holder['run']}.json", given=json.dumps(holder) + "\n")
    try:
        code, told, _ = look(platform)
    finally:
        platform.root(f"rm -r {lock}")
    assert (code, told["findings"]) == (2, [])
    assert "locked by a@b since c" in told["unseen"][0]
