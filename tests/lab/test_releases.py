"""Releases roll and roll back without a refused request; a bad one is never in anybody's way."""

# More than a minute: twelve images of the intake are built, and rolled some twenty times.

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from deploys.kit.secrets import Vault
from deploys.services.leadgen.release import KEPT
from leadgen.domain import api_key
from tests.lab.deploying import Ended, deploy, deployed, record, sentence, state
from tests.lab.host import Host
from tests.lab.load import Load, load, post, reckon, sql
from tests.lab.releases import BEGIN, SERVE, Repository
from tests.lab.runs import words

MIGRATIONS = "leadgen/store/migrations"
SECONDS = 300


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Five good releases, five bad ones, and two that bring a migration."""
    made = Repository.make(tmp_path_factory.mktemp("releases") / "repository")
    for number in range(1, 6):
        made.tag_changed(f"good-{number}", SERVE, BEGIN, f"    # release {number}\n{BEGIN}")
    stop = "sys.exit('broken on purpose')"
    made.tag_changed("ends-at-once", SERVE, BEGIN, f"    {stop}\n{BEGIN}")
    made.tag_changed(
        "ends-behind-the-socket", SERVE, BEGIN, f"    if 'LISTEN_FDS' in os.environ:\n        {stop}\n{BEGIN}"
    )
    made.tag_changed(
        "hangs-behind-the-socket",
        SERVE,
        BEGIN,
        f"    if 'LISTEN_FDS' in os.environ:\n        __import__('time').sleep(900)\n{BEGIN}",
    )
    asleep = "    __import__('time').sleep(900)\n"
    for name, begin in {"worker": "    load(", "sweep": BEGIN}.items():
        made.tag_changed(f"{name}-asleep", f"leadgen/cli/{name}.py", begin, f"{asleep}{begin}")
    expand = "-- version: 20991231_01_expand\nALTER TABLE app.leads ADD COLUMN probe text;\n"
    made.tag_added("expands", f"{MIGRATIONS}/0098_pre_expand.sql", expand)
    contract = "-- version: 20991231_02_contract\nALTER TABLE app.leads DROP COLUMN details;\n"
    made.tag_added("contracts", f"{MIGRATIONS}/0099_post_contract.sql", contract)
    return made


@pytest.fixture(scope="module", autouse=True)
def _back_to_the_pin(platform: Host) -> Iterator[None]:
    """Between the tests the host runs whatever the one before has left: each of them is a good release."""
    yield
    deployed(platform, "leadgen_02")


def roll(host: Host, repository: Repository, tag: str) -> Ended:
    return deploy(host, "leadgen_02", data={"leadgen_git_ref": tag}, environ=repository.environ)


def rolled(host: Host, repository: Repository, tag: str) -> None:
    ended = roll(host, repository, tag)
    assert ended.code == 0, ended.output
    assert release(host).startswith(f"{tag}-")


def release(host: Host) -> str:
    """What the running API calls itself."""
    answer = host.root("curl --silent --fail --max-time 10 http://127.0.0.1:8000/lead/health").stdout
    return str(json.loads(answer)["release"])


def all_well(host: Host, callers: Load) -> None:
    """Nobody was refused, and every acknowledged lead is there once."""
    assert callers.failed == []
    assert reckon(host, callers.accepted) == {"once": len(callers.accepted)}


def test_five_rolls_two_roll_backs_a_key_rotation_and_a_reload_refuse_nobody(
    platform: Host, repository: Repository, times: dict[str, float]
) -> None:
    with load(platform) as callers:
        for number in range(1, 6):
            rolled(platform, repository, f"good-{number}")
        kept = platform.root("podman images --format '{{.Tag}}' localhost/motorcade-leadgen").stdout.split()
        for number in (4, 2):
            rolled(platform, repository, f"good-{number}")
        rotate_keys(platform)
        platform.root("systemctl reload nginx")
    all_well(platform, callers)
    assert {tag.rpartition("-")[0] for tag in kept} == {"worktree", *(f"good-{number}" for number in range(1, 6))}
    assert len(kept) == KEPT + 1, "the pin's own stays besides"
    times[f"longest answer of {len(callers.answers)} during seven rolls"] = callers.longest


def rotate_keys(host: Host) -> None:
    """A second key for the client: it works, the first one works on, and a revoked one is refused."""
    vault = Vault(host.directory / "secrets", host.directory / "identity.txt")
    before = vault.reveal("leadgen-api-keys")
    key, line = api_key.mint("website", api_key.SCOPES, None)
    vault.store("leadgen-api-keys", f"{before}; {line}")
    deployed(host, "leadgen_06")
    assert post(host, key=key).status == 202
    vault.store("leadgen-api-keys", before)
    deployed(host, "leadgen_06")
    assert post(host, key=key).status == 401


def test_going_back_to_a_kept_image_builds_nothing(platform: Host, repository: Repository) -> None:
    ended = roll(platform, repository, "good-4")
    assert ended.code == 0, ended.output
    assert [change for change in ended.changes if "image localhost" in change] == []


def test_without_a_ref_the_page_returns_to_the_pin_and_says_so_first(
    platform: Host, repository: Repository
) -> None:
    rolled(platform, repository, "good-1")
    ended = deployed(platform, "leadgen_02")
    assert re.search(
        r"LEADGEN_02: from good-1-[0-9a-f]{12} to worktree-[0-9a-f]{12}, which is the pin", sentence(ended.output)
    )
    assert ended.output.index("which is the pin") < ended.output.index("Starting operation")
    assert ended.line["notes"]["LEADGEN_02"]["from"].startswith("good-1-")
    assert release(platform).startswith("worktree-")


def test_a_release_that_cannot_start_is_stopped_by_its_canary(platform: Host, repository: Repository) -> None:
    before = release(platform)
    with load(platform) as callers:
        ended = roll(platform, repository, "ends-at-once")
    assert ended.code == 1
    assert re.search(r"canary of ends-at-once-\w{12}: it exited at startup", ended.line["why"])
    assert release(platform) == before
    assert platform.root("podman ps --all --quiet --filter name=canary").stdout == ""
    all_well(platform, callers)


@pytest.mark.parametrize("tag", ["ends-behind-the-socket", "hangs-behind-the-socket"])
def test_a_release_that_never_serves_is_taken_back_and_the_record_says_why(
    platform: Host, repository: Repository, tag: str
) -> None:
    before = release(platform)
    with load(platform) as callers:
        ended = roll(platform, repository, tag)
    assert ended.code == 1
    assert record(platform)[-1]["event"] == "FAILED"
    assert re.fullmatch(rf"{tag}-\w{{12}}: the API does not serve; {before} is back", ended.line["why"])
    assert release(platform) == before
    all_well(platform, callers)


@pytest.mark.parametrize(("tag", "service"), [("worker-asleep", "worker"), ("sweep-asleep", "sweeper")])
def test_a_release_that_drains_nothing_is_taken_back_although_its_api_serves(
    platform: Host, repository: Repository, tag: str, service: str
) -> None:
    before = release(platform)
    with load(platform) as callers:
        ended = roll(platform, repository, tag)
    assert ended.code == 1
    assert re.fullmatch(
        rf"{tag}-\w{{12}}: the {service} gives no sign of life; {before} is back", ended.line["why"]
    )
    all_well(platform, callers)


def test_a_release_that_expands_the_schema_can_be_taken_back(platform: Host, repository: Repository) -> None:
    with load(platform) as callers:
        ended = roll(platform, repository, "expands")
        assert ended.code == 0, ended.output
        assert any("LEADGEN_02" in backup["path"] for backup in ended.line["backups"])
        assert (
            sql(platform, "SELECT count(*) FROM app.schema_migrations WHERE version = '20991231_01_expand'") == "1"
        )
        rolled(platform, repository, "good-1")
    all_well(platform, callers)
    # The pin's own database for whoever comes next.
    sql(
        platform,
        "ALTER TABLE app.leads DROP COLUMN probe; DELETE FROM app.schema_migrations WHERE version LIKE '2099%'",
    )


def test_a_release_that_would_strand_the_one_before_is_refused(platform: Host, repository: Repository) -> None:
    before = state(platform)
    ended = roll(platform, repository, "contracts")
    assert ended.code == 1
    assert "ships 20991231_02_contract, which may break the running release" in sentence(ended.output)
    assert [line for line in state(platform).splitlines() if "/steps/" not in line and ".red" not in line] == [
        line for line in before.splitlines() if ".red" not in line
    ]
    assert ended.changes == []


def test_killed_after_any_operation_the_roll_converges_and_the_edge_goes_on(
    platform: Host, repository: Repository
) -> None:
    rolled(platform, repository, "good-2")
    rolled(platform, repository, "good-1")
    whole = roll(platform, repository, "good-2")
    assert len(whole.marks) >= 3
    others = cycle(["good-1", "good-2"])
    with load(platform) as callers:
        for killed_after in whole.marks:
            tag = next(others)
            open_run = killed(platform, repository, tag, killed_after)
            ended = deploy(
                platform,
                "leadgen_02",
                data={"leadgen_git_ref": tag, "acknowledge": open_run},
                environ=repository.environ,
            )
            assert ended.code == 0, (killed_after, ended.output)
            assert release(platform).startswith(f"{tag}-"), killed_after
    all_well(platform, callers)


def killed(host: Host, repository: Repository, tag: str, operations: int) -> str:
    """The id of a roll that died by SIGKILL after its n-th operation."""
    line = words(host.name, ["leadgen_02"], {"leadgen_git_ref": tag}, [])[1:]
    died = subprocess.run(
        [sys.executable, "-m", "tests.lab.killed", str(operations), *line],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **repository.environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    return str(record(host)[-1]["run"])
