"""Releases roll and roll back without a refused request."""

# More than a minute: six images of the intake are built, and rolled a dozen times.

import re

import pytest

from deploys.kit.secrets import Vault
from deploys.services.leadgen.release import KEPT
from leadgen.domain import api_key
from tests.lab.deploying import deployed, sentence, state
from tests.lab.host import Host
from tests.lab.load import load, post, sql
from tests.lab.releases import BEGIN, SERVE, Repository
from tests.lab.rolls import all_well, release, roll, rolled
from tests.runbooks.desk import Desk

RELEASE = "docs/runbooks/release.md"
ROLL_BACK = "docs/runbooks/roll-back.md"
PYINFRA = ".venv/bin/pyinfra inventories/prod.py"
STARTED = "podman inspect --format '{{.Id}} {{.State.StartedAt}}' motorcade-leadgen-api"
MIGRATIONS = "leadgen/store/migrations"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Five good releases, and two that bring a migration."""
    made = Repository.make(tmp_path_factory.mktemp("releases") / "repository")
    for number in range(1, 6):
        made.tag_changed(f"good-{number}", SERVE, BEGIN, f"    # release {number}\n{BEGIN}")
    expand = "-- version: 20991231_01_expand\nALTER TABLE app.leads ADD COLUMN probe text;\n"
    made.tag_added("expands", f"{MIGRATIONS}/0098_pre_expand.sql", expand, "column app.leads.probe text\n")
    contract = "-- version: 20991231_02_contract\nALTER TABLE app.leads DROP COLUMN notes;\n"
    made.tag_added("contracts", f"{MIGRATIONS}/0099_post_contract.sql", contract)
    return made


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
    key, line = api_key.mint("website", frozenset({"intake"}), None)
    vault.store("leadgen-api-keys", f"{before}; {line}")
    deployed(host, "leadgen_06")
    assert post(host, key=key).status == 202
    vault.store("leadgen-api-keys", before)
    deployed(host, "leadgen_06")
    assert post(host, key=key).status == 401


@pytest.fixture(scope="module")
def releases(desk: Desk, repository: Repository) -> Desk:
    """A desk whose checkout has the tags."""
    fetched = desk.at_desk(f"git fetch --quiet {repository.folder} 'refs/tags/*:refs/tags/*'")
    assert fetched.code == 0, fetched.output
    return desk


def test_going_back_to_a_kept_image_builds_nothing_and_its_pin_does_not_restart_the_api(releases: Desk) -> None:
    for part in ("podman images", "git log"):
        done = releases.written(ROLL_BACK, part)
        assert done.code == 0, done.output
    assert "good-4" in releases.written(ROLL_BACK, "podman images").output
    back = releases.deployed(ROLL_BACK, "leadgen_git_ref", {"leadgen-2026-11-14": "good-4"})
    assert [change for change in back.changes if "image localhost" in change] == []
    assert release(releases.host).startswith("good-4-")
    pinned = releases.manifest.read_text(encoding="utf-8")
    releases.pin("good-4")
    started = releases.host.root(STARTED).stdout
    releases.deployed(ROLL_BACK, "deploys/leadgen_07c.py")
    assert releases.host.root(STARTED).stdout == started
    for part in ("jobs list", "jobs replay"):
        done = releases.written(ROLL_BACK, part)
        assert done.code == 0, done.output
    releases.clean()
    releases.manifest.write_text(pinned, encoding="utf-8")
    releases.commit("The pin of the others")


def test_a_tag_is_tried_and_without_it_the_page_returns_to_the_pin_and_says_so_first(releases: Desk) -> None:
    tagged = releases.written(RELEASE, "git push")
    assert tagged.code == 0, tagged.output
    releases.deployed(RELEASE, "leadgen_git_ref", {"leadgen-2026-11-21": "good-1"})
    dry = releases.written(RELEASE, "--dry")
    assert dry.code == 0, dry.output
    ended = releases.deployed(RELEASE, f"{PYINFRA} deploys/leadgen_02.py")
    for output in (dry.output, ended.output):
        assert re.search(
            r"LEADGEN_02: from good-1-[0-9a-f]{12} to worktree-[0-9a-f]{12}, which is the pin", sentence(output)
        )
    assert ended.output.index("which is the pin") < ended.output.index("Starting operation")
    assert ended.line["notes"]["LEADGEN_02"]["from"].startswith("good-1-")
    assert release(releases.host).startswith("worktree-")
    started = releases.host.root(STARTED).stdout
    releases.deployed(RELEASE, "deploys/leadgen_07c.py")
    assert releases.host.root(STARTED).stdout == started
    kept = releases.written(RELEASE, "git add docs/deployments")
    assert kept.code == 0, kept.output
    releases.clean()


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
