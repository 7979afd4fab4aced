"""A bad release is stopped by its canary or taken back; it is never in anybody's way, and the record says why."""

# More than a minute: six images of the intake are built, and rolled until a gate has waited its whole time.

import re

import pytest

from tests.lab.deploying import record
from tests.lab.host import Host
from tests.lab.load import load
from tests.lab.releases import BEGIN, SERVE, Repository
from tests.lab.rolls import all_well, release, roll, rolled


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Five releases that start badly, each in its own way, and a good one that takes its time."""
    made = Repository.make(tmp_path_factory.mktemp("releases") / "repository")
    stop, sleep = "sys.exit('broken on purpose')", "__import__('time').sleep(900)"
    behind = "    if 'LISTEN_FDS' in os.environ:\n        "
    for name, begin in {
        "ends-at-once": f"    {stop}\n",
        "ends-behind-the-socket": f"{behind}{stop}\n",
        "hangs-behind-the-socket": f"{behind}{sleep}\n",
        "starts-slowly": f"{behind}__import__('time').sleep(4)\n",
    }.items():
        made.tag_changed(name, SERVE, BEGIN, f"{begin}{BEGIN}")
    for name, begin in {"worker": "    load(", "sweep": BEGIN}.items():
        made.tag_changed(f"{name}-asleep", f"leadgen/cli/{name}.py", begin, f"    {sleep}\n{begin}")
    return made


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


def test_a_release_before_that_starts_slowly_keeps_its_callers_on_the_way_back_to_it(
    platform: Host, repository: Repository
) -> None:
    rolled(platform, repository, "starts-slowly")
    with load(platform) as callers:
        ended = roll(platform, repository, "ends-behind-the-socket")
    assert ended.code == 1
    assert release(platform).startswith("starts-slowly-")
    all_well(platform, callers)
