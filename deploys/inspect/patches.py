"""Old packages: in an image, and on the host; and what still runs although an update replaced it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from pyinfra.api.host import Host

from deploys.inspect.finding import Finding
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.plan.settings import Settings
from deploys.services.platform import updates

# What Debian offers is in the host's lists, if both are of the same Debian; one container for each image.
_LOOK: Final = r"""
command -v apt-cache >/dev/null && command -v podman >/dev/null || exit 0
here=$(. /etc/os-release && echo "$VERSION_CODENAME")
list=$(podman ps --format '{{.Image}} {{.Names}}' | grep '^localhost/motorcade-' | sort -u -k 1,1 |
    while read -r image name; do
        said=$(timeout 20 podman exec "$name" sh -c '. /etc/os-release
            dpkg-query --show --showformat "$VERSION_CODENAME \${Package} \${Version}\n"' </dev/null) ||
            { echo "? $name"; continue; }
        echo "$said" | sed -n "s|^$here |$image |p"
    done)
case $list in *'? '*) echo "no answer from ${list#*\? }"; exit 1 ;; esac
[ "$list" ] || exit 0
offered=$(echo "$list" | cut -d ' ' -f 2 | sort -u | LC_ALL=C xargs apt-cache policy |
    awk '/^[^ ]/ { sub(/:.*/, ""); name = $0 } $1 == "Candidate:" && $2 != "(none)" { print "=", name, $2 }')
[ "$offered" ] || { echo 'apt-cache offers none of the packages'; exit 1; }
printf '%s\n%s\n' "$offered" "$list" | awk '
    $1 == "=" { offered[$2] = $3; next }
    offered[$2] != "" && offered[$2] != $3 { print $1, $2, $3, offered[$2] }' |
    while read -r image package version newer; do
        if dpkg --compare-versions "$newer" gt "$version"; then echo "$image $package $version $newer"; fi
    done
"""
_SECONDS: Final = 60
_NAMED: Final = 5  # packages in a finding; the number says how many there are
_NAMES: Final = {"ready": "packages", "held": "packages that wait for patch day"}
_PATCH_DAY: Final = "as docs/runbooks/patch-day.md says"


def look(host: Host, settings: Settings) -> list[Finding]:
    """All of it. Raises Refused if the host does not answer."""
    return [*of_images(host, settings), *of_host(host), *due(host)]


def of_host(host: Host) -> list[Finding]:
    """Security updates that wait: those of the coming night, and those that wait for patch day.

    None before PLAT_01C has passed, and on a host without apt. Raises Refused if apt does not answer.
    """
    answer = host.get_fact(Probe, _asked("pending"), _SECONDS)
    if not answer.green:
        raise Refused(
            host.name,
            f"does not say which of its packages are old ({' '.join(answer.lines)})",
            "run `apt-get update` there",
        )
    waiting: dict[str, dict[str, str]] = {"ready": {}, "held": {}}
    for state, package, version, newer in (line.split() for line in answer.lines):
        waiting[state][package] = f"{package} {version}, now {newer}"
    remedies = {"ready": f"run sudo {updates.PROGRAM} install", "held": _by_hand(waiting["held"])}
    return [
        Finding("patch", f"{host.name}, {_NAMES[state]}", _sentence(list(packages.values())), remedies[state])
        for state, packages in waiting.items()
        if packages
    ]


def due(host: Host) -> list[Finding]:
    """Each unit of the host that still runs what an update has replaced, and the host itself if it must reboot.

    Raises Refused if the host does not answer.
    """
    answer = host.get_fact(Probe, _asked("due"))
    if not answer.green:
        why = f"does not say what must restart ({' '.join(answer.lines)})"
        raise Refused(host.name, why, f"run sudo {updates.PROGRAM} due there")
    found = (line.partition(" ") for line in answer.lines)
    return [
        Finding(
            "restart",
            host.name if unit == "reboot" else unit,
            why,
            f"{_PATCH_DAY}: run sudo systemctl {'reboot' if unit == 'reboot' else f'restart {unit}'}",
        )
        for unit, _, why in found
    ]


def _asked(word: str) -> str:
    return f"[ ! -x {updates.PROGRAM} ] || {updates.PROGRAM} {word}"


def _by_hand(packages: Iterable[str]) -> str:
    names = " ".join(sorted(packages))
    return f"{_PATCH_DAY}: run sudo apt-get install --only-upgrade {names}, then deploys/platform.py"


def of_images(host: Host, settings: Settings) -> list[Finding]:
    """One finding for each image in use. None on a host of another Debian, or of another distribution.

    Raises Refused if the host does not answer.
    """
    answer = host.get_fact(Probe, _LOOK, _SECONDS)
    if not answer.green:
        raise Refused(
            host.name, f"does not say which packages are old ({answer.lines})", "run `apt-get update` there"
        )
    old: dict[str, list[str]] = defaultdict(list)
    for image, package, version, newer in (line.split() for line in answer.lines):
        old[image].append(f"{package} {version}, now {newer}")
    remedy = f"write today as base.refreshed in {settings.release_file}, then run deploys/platform.py"
    return [Finding("patch", image, _sentence(packages), remedy) for image, packages in old.items()]


def _sentence(packages: list[str]) -> str:
    more = f"; and {len(packages) - _NAMED} more" if len(packages) > _NAMED else ""
    count = "a package is" if len(packages) == 1 else f"{len(packages)} packages are"
    return f"{count} older than Debian's: {'; '.join(packages[:_NAMED])}{more}"
