"""An image with an old package is named by drift, and a later day in the manifest builds every image again."""

# More than a minute: each image of the platform is built again, and the intake rolls.

import pytest

from tests.lab.deploying import NOTHING, deployed
from tests.lab.differences import look
from tests.lab.host import Host
from tests.lab.load import load
from tests.lab.rolls import all_well

DAY = "2026-11-27"  # in releases/lab.yaml
NEXT_DAY = "2026-11-28"
IMAGES = ("leadgen", "postgres", "redis")
LIST = "/etc/apt/sources.list.d/newer.list"
# An offer is a line in a list; nothing is installed from it.
OFFER = f"""set -eu
mkdir -p /srv/newer
printf '%s\\n' 'Package: base-files' 'Version: 9999' 'Architecture: all' 'Maintainer: the lab' \\
    'Filename: ./a.deb' 'Size: 1' 'SHA256: {"5a" * 32}' 'Description: newer' >/srv/newer/Packages
echo 'deb [trusted=yes] file:/srv/newer ./' >{LIST}
apt-get update --quiet=2 -o Dir::Etc::sourcelist={LIST} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
"""
WITHDRAW = f"rm -r {LIST} /srv/newer /var/lib/apt/lists/_srv_newer*"


def days(host: Host) -> set[str]:
    """The label of every image that a container runs."""
    form = '{{index .Config.Labels "motorcade.refreshed"}}'
    return set(host.root(f"podman inspect --format '{form}' $(podman ps --quiet)").stdout.split())


@pytest.fixture
def offered(platform: Host) -> None:
    platform.root(OFFER, seconds=120)


@pytest.mark.usefixtures("offered")
def test_each_image_with_an_old_package_is_named_with_what_to_write(platform: Host) -> None:
    try:
        code, told, found = look(platform)
    finally:
        platform.root(WITHDRAW)
    patches = {where: each for (kind, where), each in found.items() if kind == "patch"}
    assert sorted(where.partition(":")[0] for where in patches) == [
        f"localhost/motorcade-{name}" for name in IMAGES
    ]
    for each in patches.values():
        assert each["what"].startswith("a package is older than Debian's: base-files ")
        assert each["what"].endswith(", now 9999")
        assert each["remedy"].startswith("write today as base.refreshed in ")
    assert (code, told["unseen"]) == (1, [])


def test_a_later_day_builds_every_image_again_and_refuses_nobody_while_the_intake_rolls(
    platform: Host, times: dict[str, float]
) -> None:
    assert days(platform) == {DAY}
    manifest = platform.directory / "release.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(DAY, NEXT_DAY), encoding="utf-8")
    with load(platform) as callers:
        deployed(platform, "leadgen_02")
    all_well(platform, callers)
    times[f"longest answer of {len(callers.answers)} while the intake gets new packages"] = callers.longest
    assert days(platform) == {DAY, NEXT_DAY}
    deployed(platform, "platform")
    assert days(platform) == {NEXT_DAY}
    assert deployed(platform, "platform").did == NOTHING
    code, _, found = look(platform)
    assert (code, found) == (0, {})
