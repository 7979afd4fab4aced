"""An image with an old package is named by drift, and a later day in the manifest builds every image again.

The packages of each image are on record, so that it is known what an image holds without asking it.
"""

# More than a minute: each image of the platform is built again, and the intake rolls.

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from deploys.history import sbom
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


def packages(host: Host, *words: str | Path) -> tuple[int, str]:
    line = [sys.executable, "-m", "deploys.packages", "inventories/lab.py", "--limit", host.name, *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def held_by(host: Host, container: str) -> set[str]:
    """What the container itself answers: each package with its version."""
    form = "${db:Status-Status} ${Package} ${Version}\\n"
    shown = host.root(f"podman exec {container} dpkg-query --show --showformat '{form}'").stdout
    return {line.removeprefix("installed ") for line in shown.splitlines() if line.startswith("installed ")}


def test_the_packages_of_each_running_image_are_on_record_and_a_changed_list_is_refused(
    platform: Host, tmp_path: Path
) -> None:
    code, told = packages(platform, "--write", tmp_path)
    assert code == 0, told
    for name, container in zip(IMAGES, ("leadgen-worker", "postgres", "redis"), strict=True):
        (file,) = tmp_path.glob(f"*motorcade-{name}-*")
        text = file.read_text(encoding="utf-8")
        assert JsonStrictValidator(sbom.VERSION).validate_str(text) is None
        parts = {f"{part['name']} {part['version']}" for part in json.loads(text)["components"]}
        assert parts == held_by(platform, f"motorcade-{container}")
        assert all("pkg:deb/debian/" in part["purl"] for part in json.loads(text)["components"])
    platform.root("sed -i '$d' /var/lib/motorcade/images/motorcade-redis-*.packages")
    code, told = packages(platform)
    assert (code, "is not what line " in told) == (1, True), told
    platform.root("rm /var/lib/motorcade/images/motorcade-redis-*.packages")
    deployed(platform, "plat_08b")
    code, told = packages(platform)
    assert code == 0, told
