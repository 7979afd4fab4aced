"""Old packages of images and of the host are named by drift, and a patch day or a night ends that.

The packages of each image are on record, so that it is known what an image holds without asking it.
"""

# More than a minute: each image of the platform is built again, the intake rolls, and updates are installed.

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from deploys.history import sbom
from deploys.services.platform import updates
from tests.lab.deploying import NOTHING, deployed
from tests.lab.differences import look
from tests.lab.host import Host
from tests.lab.load import load
from tests.lab.rolls import all_well
from tests.runbooks.desk import Desk

PATCH_DAY = "docs/runbooks/patch-day.md"
NEW_HOST = "docs/runbooks/add-a-host.md"
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

# A daemon whose package restarts it; as security updates, its next version and a newer nginx.
UPDATES = r"""set -eu
new=/srv/new
build() {
    mkdir -p "$new/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: the lab\nDescription: newer\n' "$1" "$2" \
        >"$new/DEBIAN/control"
    dpkg-deb --build "$new" "/srv/newer/$1_$2.deb" >/dev/null
    rm -r "$new"
}
daemon() {
    mkdir -p "$new/usr/bin" "$new/usr/lib/systemd/system" "$new/DEBIAN"
    cp /bin/sleep "$new/usr/bin/lab-daemon"
    printf '[Service]\nExecStart=/usr/bin/lab-daemon infinity\n' >"$new/usr/lib/systemd/system/lab-daemon.service"
    printf '#!/bin/sh\nset -e\nsystemctl daemon-reload\ninvoke-rc.d lab-daemon restart || true\n' \
        >"$new/DEBIAN/postinst"
    chmod 755 "$new/DEBIAN/postinst"
    build lab-daemon "$1"
}
mkdir -p /srv/newer
daemon 1
daemon 2
dpkg --install /srv/newer/lab-daemon_1.deb >/dev/null
systemctl start lab-daemon
mkdir -p "$new/usr/share/lab"
build nginx 9999
cd /srv/newer
for file in lab-daemon_1.deb lab-daemon_2.deb nginx_9999.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: ./%s\nSize: %s\n' "$file" "$(stat -c %s "$file")"
    printf 'SHA256: %s\n\n' "$(sha256sum "$file" | cut -d ' ' -f 1)"
done >Packages
. /etc/os-release
{
    printf 'Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\n'
    printf 'Codename: %s-security\nDate: %s\nSHA256:\n' "$VERSION_CODENAME" "$(date -Ru)"
    printf ' %s %s Packages\n' "$(sha256sum Packages | cut -d ' ' -f 1)" "$(stat -c %s Packages)"
} >Release
echo 'deb [trusted=yes] file:/srv/newer ./' >LIST
apt-get update --quiet=2 -o Dir::Etc::sourcelist=LIST -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
""".replace("LIST", LIST)
NIGHT = "rm -f /var/lib/apt/periodic/*; systemctl start apt-daily-upgrade.service"
PID = "systemctl show -P MainPID lab-daemon"
PIDS = f"{PID} nginx motorcade-redis motorcade-leadgen-api"
HELD = "packages that wait for patch day"


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
    platform: Host, desk: Desk, times: dict[str, float]
) -> None:
    assert days(platform) == {DAY}
    desk.manifest.write_text(desk.manifest.read_text(encoding="utf-8").replace(DAY, NEXT_DAY), encoding="utf-8")
    desk.commit("A patch day")
    with load(platform) as callers:
        deployed(platform, "leadgen_02")
    all_well(platform, callers)
    times[f"longest answer of {len(callers.answers)} while the intake gets new packages"] = callers.longest
    assert days(platform) == {DAY, NEXT_DAY}
    desk.deployed(PATCH_DAY, "deploys/platform.py")
    assert days(platform) == {NEXT_DAY}
    assert desk.deployed(NEW_HOST, "deploys/platform.py").did == NOTHING
    drift = desk.written(PATCH_DAY, "deploys.drift")
    assert (drift.code, "matches its pages" in drift.output) == (0, True), drift.output
    listed = desk.written(PATCH_DAY, "deploys.packages")
    assert listed.code == 0, listed.output


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


def test_a_night_installs_security_updates_restarts_nothing_and_leaves_what_is_held_to_patch_day(
    platform: Host, desk: Desk
) -> None:
    platform.root(UPDATES, seconds=300)
    before = platform.root(PIDS).stdout
    nginx = platform.root("dpkg-query --show nginx").stdout
    _, told, found = look(platform)
    ready, held = (found["patch", f"{platform.name}, {which}"] for which in ("packages", HELD))
    assert ready["what"] == "a package is older than Debian's: lab-daemon 1, now 2"
    assert ready["remedy"] == f"run sudo {updates.PROGRAM} install"
    assert held["what"].startswith("a package is older than Debian's: nginx ")
    assert "sudo apt-get install --only-upgrade nginx, then deploys/platform.py" in held["remedy"]
    assert told["unseen"] == []
    with load(platform) as callers:
        platform.root(NIGHT, seconds=400)
    all_well(platform, callers)
    assert platform.root("dpkg-query --show lab-daemon").stdout.split() == ["lab-daemon", "2"]
    assert platform.root("dpkg-query --show nginx").stdout == nginx
    assert platform.root(PIDS).stdout == before, "an update restarted a service"
    _, _, found = look(platform)
    assert ("patch", f"{platform.name}, packages") not in found
    assert ("patch", f"{platform.name}, {HELD}") in found
    due = found["restart", "lab-daemon.service"]
    assert due["what"] == "1 of its processes run a program or library that was replaced"
    assert due["remedy"].endswith("run sudo systemctl restart lab-daemon.service")
    platform.root("systemctl start motorcade-updates.service motorcade-alerts-check.service", seconds=120)
    alerts = platform.root("/usr/local/libexec/motorcade/alerts-check", seconds=120).stdout
    assert "restart-due\tnotice\t" in alerts
    # By hand, the same package restarts it: at night, only the gate kept it from doing so.
    back = desk.written(PATCH_DAY, "--allow-downgrades", {"PACKAGE=VERSION": "lab-daemon=1"}, given="y\n")
    assert (back.code, platform.root(PID).stdout in before) == (0, False), back.output
    before = platform.root(PID).stdout
    newest = desk.written(PATCH_DAY, "--only-upgrade", {"nginx podman …": "lab-daemon"}, given="y\n")
    assert (newest.code, platform.root(PID).stdout == before) == (0, False), newest.output
    assert desk.written(PATCH_DAY, "host-updates install").code == 0
    assert platform.root(f"{updates.PROGRAM} due").stdout == ""
