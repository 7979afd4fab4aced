"""What is on a host although no page made it: files in places of ours, containers, networks, listeners.

And what a container runs, where that is no image that was built here.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import PurePosixPath
from typing import Final

from pyinfra.api.host import Host

from deploys.inspect import dry_run
from deploys.inspect.finding import Finding
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.operations import image
from deploys.kit.plan import services
from deploys.kit.plan.entry import Entry
from deploys.kit.plan.settings import Settings
from deploys.kit.quadlet import linter, quadlet
from deploys.kit.run.steps import DIRECTORY, Step
from deploys.services.nginx import nginx

_SYSTEMD: Final = "/etc/systemd/system"
_MASK: Final = "/dev/null"
_UNITS: Final = ("/usr/lib/systemd/", "/lib/systemd/", _SYSTEMD)  # where a link to a known unit leads
# In the folders of the first loop every file is a page's; those of the second hold other programs' units too.
FILES: Final = f"""
set -e
below() {{ # a folder need not exist yet, and a file may go meanwhile; any other failure ends the look
    folder=$1
    shift
    [ ! -d "$folder" ] || find "$folder" -ignore_readdir_race ! -type d "$@" -printf '%p\\t%l\\n'
}}
for place in /etc/motorcade {quadlet.DIRECTORY} /run/containers/systemd {nginx.OWN} \
    /etc/containers/containers.conf.d /usr/local/libexec {_SYSTEMD}; do
    below "$place"
done
for place in /run/systemd/system /etc/systemd/system.control /run/systemd/system.control; do
    below "$place" \\( -path '*/motorcade*' -o -path '*/nginx.service*' \\)
done
"""
_CONTAINER: Final = '{{.Names}}\\t{{.Image}}\\t{{.State}}\\t{{index .Labels "motorcade.unit"}}'
_LOOK: Final = f"""
set -e
echo '== files'; {FILES}
echo '== listeners'; ss -Hltnp
command -v podman >/dev/null || exit 0
echo '== active'; systemctl list-units --plain --no-legend --state=active,activating 'motorcade*' | cut -d ' ' -f 1
echo '== containers'; podman ps --all --format '{_CONTAINER}'
echo '== pods'; podman pod ls --format '{{{{.Name}}}}'
echo '== networks'; podman network ls --format '{{{{.Name}}}}'
echo '== volumes'; podman volume ls --format '{{{{.Name}}}}'
echo '== images'; for id in $(podman ps --quiet); do
    podman inspect --format '{{{{.Name}}}}\\t{{{{.Image}}}}\\t{{{{.ImageName}}}}' "$id"
done
echo '== built'; cd {image.IDS} 2>/dev/null || exit 0
for file in *.id; do [ ! -f "$file" ] || printf '%s\\t%s\\n' "$file" "$(cat "$file")"; done
"""
_SECONDS: Final = 60
# Never what holds data, nor, by the force of a network, the containers that use it.
_REMOVE: Final = {"container": "rm --force", "pod": "rm --force", "network": "rm", "volume": "inspect"}


def listeners(core_subnet: str) -> set[str]:
    """Address and port of everything of the platform that listens for TCP."""
    names_of_containers = f"{ip_network(core_subnet)[1]}:53"  # asked on their own network
    return {names_of_containers, *(address for service in services.every() for address in service.listeners)}


def look(host: Host, settings: Settings, owned: Collection[str], unknown: str) -> list[Finding]:
    """`owned` are the files of all pages; what `drift_expected` names is right all the same.

    `unknown` is the command of a page whose files are not known, if there is one: what no page is known to own may
    be that one's, so nothing is to be removed before it has run. Raises Refused where the host does not tell.
    """
    answer = host.get_fact(Probe, _LOOK, _SECONDS)
    if not answer.green:
        said = "; ".join(answer.lines[-3:])
        raise Refused(
            host.name, f"could not be inspected ({said})", "fix what that says on the host, then run this again"
        )
    parts = sections(answer.lines)
    strangers = [*files(parts["files"], owned), *podman(parts, owned)]
    if unknown:
        why = f"{unknown}, then drift again: it may be that page's"
        strangers = [replace(each, what=f"{each.what}, as far as is known", remedy=why) for each in strangers]
    found = [
        *masked(parts["files"], owned),
        *strangers,
        *listening(parts["listeners"], listeners(settings.core_subnet)),
        *images(parts.get("images", []), parts.get("built", []), owned),
    ]
    expected = settings.drift_expected.split()
    return [finding for finding in found if finding.where not in expected]


def sections(lines: list[str]) -> dict[str, list[list[str]]]:
    """Below each `== title` its lines, in columns."""
    parts: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("== "):
            rows = parts.setdefault(line.removeprefix("== "), [])
        else:
            rows.append(line.split("\t"))
    return parts


def unknown(pages: Iterable[Entry], steps: Mapping[str, Step]) -> Iterator[str]:
    """Commands of the pages whose files on this host are not all known: an earlier release may have had others."""
    for entry in pages:
        if entry.id not in steps or not steps[entry.id].passed:
            yield dry_run.remedy(entry)


def retired(pages: Collection[str]) -> Iterator[Finding]:
    """Pages that the host has passed and the repository no longer has; what they left is named as no page's."""
    for page in sorted(pages):
        remedy = f"sudo rm -f {DIRECTORY}/{page}.json {DIRECTORY}/{page}.red"
        yield Finding("page", page, "has passed on this host, and the runbook does not have it", remedy)


def masked(rows: list[list[str]], owned: Collection[str]) -> Iterator[Finding]:
    """Units of ours that cannot start."""
    for path, target in rows:
        name = PurePosixPath(path).name
        if target == _MASK and path not in owned and _is_ours(name):
            yield Finding("unit", name, "is masked", f"sudo systemctl unmask {name}, then deploys/platform.py")


def files(rows: list[list[str]], owned: Collection[str]) -> Iterator[Finding]:
    """Files that no page owns; of systemd's links those that add a unit to our target."""
    for path, target in rows:
        name, parent = PurePosixPath(path).name, PurePosixPath(path).parent
        if path in owned or target == _MASK:
            continue
        if not (path.startswith(_SYSTEMD) and target.startswith(_UNITS)):
            yield Finding("file", path, "was made by no page", _remove(path))
        elif parent.stem == "motorcade.target" and not _is_ours(name):
            yield Finding(
                "unit",
                name,
                "is started with the platform and is no page's",
                f"sudo systemctl disable --now {name}",
            )


def listening(rows: list[list[str]], allowed: set[str]) -> Iterator[Finding]:
    """Addresses that listen and are not allowed to, with the first process that holds each."""
    for (line,) in rows:
        address = line.split()[3]
        if address in allowed:
            continue
        who = re.search(r'"([^"]*)",pid=(\d+)', line)
        program, process = who.groups() if who else ("a program", "that has ended")
        yield Finding(
            "listener",
            address,
            f"listens and is no page's: {program}, process {process}",
            f"stop what `sudo systemctl status {process}` names",
        )


def podman(parts: Mapping[str, list[list[str]]], owned: Collection[str]) -> Iterator[Finding]:
    """Containers, pods, networks and volumes that no unit of a page makes."""
    active = [row[0] for row in parts.get("active", [])]
    made = {"container": _quadlets(owned, "container"), "network": {"podman", *_quadlets(owned, "network")}}
    for kind, verb in _REMOVE.items():
        for name, *more in parts.get(f"{kind}s", []):
            # What a unit runs for a while has a label that names the unit.
            if name in made.get(kind, set()) or (more and more.pop() in active):
                continue
            told = f" ({', '.join(more)})" if more else ""
            remedy = f"sudo podman {kind} {verb} {name}"
            if kind == "volume":
                remedy += " shows its data; remove it by hand once you know that it is not needed"
            yield Finding(kind, name, f"was made by no page{told}", remedy)


def images(running: list[list[str]], built: list[list[str]], owned: Collection[str]) -> Iterator[Finding]:
    """Containers of pages that run another image than the one that was built here under its name."""
    ids = {file: recorded for file, recorded, *_ in built}
    known = _quadlets(owned, "container")
    for container, id_, tag in running:
        file = f"{tag.rpartition('/')[2].replace(':', '-')}.id"
        if container in known and ids.get(file) != id_:
            yield Finding(
                "image", container, f"runs {id_[:12]}, which was not built here as {tag}", "deploys/platform.py"
            )


def _quadlets(owned: Collection[str], suffix: str) -> set[str]:
    """Names of the containers or networks that units of pages make."""
    paths = [PurePosixPath(path) for path in owned if path.startswith(f"{quadlet.DIRECTORY}/")]
    return {path.stem for path in paths if path.suffix == f".{suffix}"}


def _is_ours(unit: str) -> bool:
    return unit.startswith("motorcade") or unit == nginx.UNIT


def _remove(path: str) -> str:
    """Shell that removes a file, and makes the program that reads it read again."""
    file = PurePosixPath(path)
    rm = f"sudo rm {path}"
    if path.startswith(f"{nginx.OWN}/"):
        return f"{rm}; sudo systemctl reload nginx"
    if "systemd" not in path:
        return rm
    unit = file.parent.name.removesuffix(".d") if file.parent.suffix == ".d" else file.name
    service = linter.service_of(unit) if unit == linter.unit_of(unit) else unit
    if unit == file.name:
        # What ends with an error when it is stopped stays in systemd's list otherwise, although its file is gone.
        stop = f"sudo systemctl stop {service}; sudo systemctl reset-failed {service} 2>/dev/null"
        return f"{stop}; {rm}; sudo systemctl daemon-reload"
    return f"{rm}; sudo systemctl daemon-reload; sudo systemctl restart {service}"
