"""The whole platform, from a bare host to a lead that came in at the edge; and nothing to do after that."""

# More than a minute: all pages run three times with nothing to do, and once dry.

import json
import random
import subprocess
import sys
import time

from deploys.services.postgres import database
from tests import commit
from tests.lab.command import until
from tests.lab.deploying import NOTHING, PAGES, deploy, deployed, included, record, sentence, state
from tests.lab.host import Host
from tests.lab.load import load, post, reckon, sql


def test_a_lead_that_is_posted_to_the_edge_becomes_one_row(platform: Host) -> None:
    answer = post(platform)
    assert answer.status == 202
    assert reckon(platform, [answer.intake_id]) == {"once": 1}


def test_neither_side_of_redis_lacks_a_right_even_when_a_worker_is_killed_and_a_password_rotated(
    platform: Host,
) -> None:
    ask = "podman exec motorcade-redis redis-ask"
    for secret in ("redis-bell", "redis-worker"):
        rotate = [sys.executable, "-m", "deploys.kit.secrets", "rotate", "lab", secret]
        subprocess.run([*rotate, "--directory", str(platform.directory / "secrets")], check=True, timeout=30)
    with load(platform) as callers:
        deployed(platform, "plat_08b", "plat_08c", "plat_04", "leadgen_07c", "leadgen_02")
    assert callers.failed == []
    platform.root(f"{ask} ACL LOG RESET; podman kill --signal KILL motorcade-leadgen-worker")
    ready = 'curl --silent http://127.0.0.1:8000/lead/health | grep -q \'"worker": "ok"\''
    assert until(lambda: platform.root(ready, check=False).returncode == 0, 60)
    answer = post(platform)
    assert reckon(platform, [*callers.accepted, answer.intake_id]) == {"once": len(callers.accepted) + 1}
    platform.root("systemctl restart motorcade-leadgen-worker motorcade-leadgen-api")
    assert until(lambda: platform.root(ready, check=False).returncode == 0, 60)
    assert platform.root(f"{ask} ACL LOG").stdout.strip() == ""


BEFORE = """
REVOKE ALL ON ALL TABLES IN SCHEMA app FROM motorcade_api;
REVOKE USAGE ON SCHEMA app FROM motorcade_api;
GRANT INSERT ON app.consents, app.job_audit TO motorcade_app;
DELETE FROM app.schema_migrations WHERE version = '20261127_02_api_role';
"""


def test_the_api_gets_its_own_role_on_a_host_of_an_earlier_release_and_refuses_nobody(platform: Host) -> None:
    """Before, it logged in as `motorcade_app`. PLAT_03 comes first, so the role is there, without a right.

    The load begins after the migration: here this release's image runs before it, and refuses without it.
    """
    unit = "/etc/containers/systemd/motorcade-leadgen-api.container"
    before = "s/postgres-api/postgres-app/; s/motorcade_api@/motorcade_app@/; s/motorcade.config=/&0/"
    platform.root(f"sed -i '{before}' {unit}")
    platform.root("systemctl daemon-reload && systemctl restart motorcade-leadgen-api")
    sql(platform, BEFORE)
    assert "run deploys/plat_03.py deploys/leadgen_02.py first" in sentence(deploy(platform, "plat_04").output)
    deployed(platform, "leadgen_02")
    with load(platform) as callers:
        deployed(platform, "plat_04", "leadgen_07c")
    assert callers.failed == []
    assert reckon(platform, callers.accepted) == {"once": len(callers.accepted)}
    users = sql(platform, "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name ~ 'api'")
    assert users == "motorcade_api"
    assert included(platform).did == NOTHING


def test_the_checks_have_taken_their_synthetic_leads_away(platform: Host) -> None:
    deployed(platform, "leadgen_07c", "leadgen_03", "leadgen_07b", "leadgen_05", data={"verify": "again"})
    for table in ("intake_jobs", "leads"):
        assert sql(platform, f"SELECT count(*) FROM app.{table} WHERE client_id = 'motorcade-probe'") == "0"


def test_the_api_sees_the_free_space_of_the_database_and_none_of_its_data(platform: Host) -> None:
    look = (
        "import os; disk = os.environ['LEADGEN_DATABASE_DISK']; print(os.statvfs(disk).f_blocks); os.listdir(disk)"
    )
    seen = platform.root(f'podman exec motorcade-leadgen-api python3 -c "{look}"', check=False)
    assert seen.stdout == platform.root(f"stat -f -c %b {database.CLUSTER}").stdout
    assert "PermissionError" in seen.stderr
    assert platform.root(f"ls -A {database.DISK}").stdout == ""


def test_a_nearly_full_disk_of_the_database_refuses_a_lead_and_says_why(platform: Host) -> None:
    # A small disk of its own, so that the host's is not filled.
    platform.root(f"mount -t tmpfs -o size=1m,mode=700 small {database.DISK}")
    try:
        platform.root(f"head -c 960K /dev/zero >{database.DISK}/fill; systemctl restart motorcade-leadgen-api")
        refused = post(platform)
        assert (refused.status, "nearly full" in refused.told) == (503, True)
        health = json.loads(platform.root("curl --silent http://127.0.0.1:8000/lead/health").stdout)
        assert health["fault"] == "disk nearly full"
        platform.root(f"rm {database.DISK}/fill")
        assert until(lambda: post(platform).status == 202, 10)
    finally:
        platform.root(f"umount --lazy {database.DISK}; systemctl restart motorcade-leadgen-api")
    assert post(platform).status == 202


def test_the_whole_platform_again_changes_nothing(platform: Host, times: dict[str, float]) -> None:
    before = state(platform)
    began = time.monotonic()
    ended = deployed(platform, "platform")
    times[f"platform again, {ended.line['operations']} operations with nothing to do"] = time.monotonic() - began
    assert ended.did == NOTHING
    assert ended.line["pages"] == [page.upper() for page in PAGES]
    assert state(platform) == before


def test_any_permitted_order_changes_nothing_and_ends_in_the_same_state(platform: Host) -> None:
    before = state(platform)
    pages = list(PAGES)
    random.Random(commit.number()).shuffle(pages)  # noqa: S311 - an order, no secret
    ended = included(platform, pages)
    assert ended.did == NOTHING, pages
    assert state(platform) == before


def test_every_file_of_the_host_has_one_page_that_owns_it(platform: Host) -> None:
    steps = platform.root("cat /var/lib/motorcade/steps/*.json").stdout.splitlines()
    owned = [path for step in map(json.loads, steps) for path in step["files"]]
    assert len(owned) > len(PAGES)
    assert sorted(owned) == sorted(set(owned))


def test_a_dry_run_promises_no_change_and_writes_nothing(platform: Host) -> None:
    lines = record(platform)
    line = [".venv/bin/pyinfra", "--dry", "--limit", platform.name, "inventories/lab.py", "deploys/platform.py"]
    dry = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert dry.returncode == 0, dry.stderr
    assert record(platform) == lines


def test_the_status_is_green_for_every_page(platform: Host) -> None:
    line = [sys.executable, "-m", "deploys.status", "inventories/lab.py", "--limit", platform.name, "--json"]
    shown = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    (found,) = json.loads(shown.stdout)
    assert {page["page"]: (page["state"], page["drift"]) for page in found["pages"]} == {
        page.upper(): ("green", []) for page in PAGES
    }
    assert shown.returncode == 0, sentence(shown.stdout)
