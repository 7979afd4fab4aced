"""Quadlet units: linted at load, checked by the host's own generator, moved into place, loaded, and running.

How a change is detected, whichever page owns the file:
- On the host, a unit is *fresh* when what the generator would make of the files now is what systemd has loaded. So
  the next run repairs a kill between the move and the reload, and sees a drop-in, which systemd itself ignores.
- In the container, every file has a label: the unit `Label=motorcade.config=<sha>`, a drop-in of another
  page by a label of its own, `Label=motorcade.config.<page>=<sha>`. Each hash covers only what that page wrote
  (its file and the configuration that the program reads), so no page mistakes another's change for its own.
  `running` compares all labels and the image of the container with those of the unit joined with its drop-ins.
- A drop-in with nothing for the container (such as [Install]) needs no label: enabling at boot restarts nothing.
`install` writes only the files it is given; other files in a `.d` belong to other pages and stay.
"""

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override

from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.operations import gate, hostfiles
from deploys.kit.operations.hostfiles import HostFile
from deploys.kit.quadlet import linter
from deploys.kit.shell import SPARE_SECONDS, bounded

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

DIRECTORY: Final = "/etc/containers/systemd"
LABEL: Final = "motorcade.config"
_GENERATED: Final = "/run/systemd/generator"
_LOOK_SECONDS: Final = 20
_RESTART_SECONDS: Final = 300  # more than the TimeoutStopSec and TimeoutStartSec of any unit together
_FIND: Final = (
    # systemd prefers /usr/local, the static build's, over /usr, the package's.
    "generator=$(ls /usr/local/lib/systemd/system-generators/podman-system-generator"
    " /usr/lib/systemd/system-generators/podman-system-generator 2>/dev/null | head -n 1)"
)
DRY_RUN: Final = (
    f'{_FIND}; [ "$generator" ] ||'
    ' { echo "podman: no Quadlet generator on the host; run deploys/plat_01.py first"; exit 1; };'
    ' said=$("$generator" --dryrun 2>&1 >/dev/null) && accepted=yes || accepted=no;'
    ' faults=$(printf "%s" "$said" | grep -v "Loading source" | grep .) || true;'
    ' [ "$accepted" = yes ] && [ -z "$faults" ] || { printf "%s" "$said"; exit 1; }'
)


@dataclass(frozen=True)
class Unit:
    """One service: what the generator makes of the files now, and what systemd has loaded."""

    wanted: tuple[str, ...]
    loaded: tuple[str, ...]
    load_state: str

    @property
    def fresh(self) -> bool:
        return bool(self.wanted) and self.wanted == self.loaded and self.load_state == "loaded"

    def labels(self) -> dict[str, str]:
        """The configuration labels that the container must have."""
        lines = [line.removeprefix("Label=") for line in self.wanted if line.startswith(f"Label={LABEL}")]
        return dict(line.partition("=")[::2] for line in lines)


@dataclass(frozen=True)
class Service:
    """A service and its container; images are ids, empty where there is none."""

    unit: Unit
    active: bool
    labels: dict[str, str]
    image: str
    wanted_image: str
    pinned_image: str
    newer: tuple[str, ...] = ()  # files that the program reads at its start, written since then

    def faults(self, *, pinned: bool) -> list[str]:
        """Why the container must be restarted."""
        if not self.active:
            return ["not active"]
        found = {
            "another configuration": self.labels != self.unit.labels(),
            "started before its files were written": bool(self.newer),
            "another image": not self.image or self.image != self.wanted_image,
            "another image than the pin": pinned and self.image != self.pinned_image,
        }
        return [fault for fault, true in found.items() if true]


class Units(FactBase[Unit]):
    """One service as the generator and systemd see it; answers even without a generator or podman."""

    @override
    @staticmethod
    def default() -> Unit:
        return Unit((), (), "")

    @override
    def command(self, service: str) -> StringCommand:
        return StringCommand(f"timeout {_LOOK_SECONDS} sh -c", QuoteString(f"{_look(service)}; true"))

    @override
    def process(self, output: list[str]) -> Unit:
        return _unit(_sections(output))


class Services(FactBase[Service]):
    """One service and its container, in one round trip."""

    @override
    @staticmethod
    def default() -> Service:
        return Service(Unit((), (), ""), active=False, labels={}, image="", wanted_image="", pinned_image="")

    @override
    def command(self, unit: str, image: str = "", reads: str = "") -> StringCommand:
        inspect = "timeout 10 podman %s inspect --format %s %s 2>/dev/null"
        wanted = "\"$(printf '%s\\n' \"$wanted\" | sed -n 's/^Image=//p' | tail -n 1)\""
        look = [
            _look(f"{unit}.service"),
            f"echo '== active'; systemctl show -P ActiveState {unit}.service",
            f"echo '== container'; {inspect % ('container', quote('{{.Image}} {{json .Config.Labels}}'), unit)}",
            f"echo '== image'; {inspect % ('image', quote('{{.Id}}'), wanted)}",
        ]
        if image:
            look.append(f"echo '== pin'; {inspect % ('image', quote('{{.Id}}'), quote(image))}")
        if reads:
            # A file edited by hand, read at a crash, and put back leaves the labels unchanged: its ctime shows it.
            form = quote('{{.State.StartedAt.Format "2006-01-02 15:04:05.999999999 -0700"}}')
            look.append(
                f"echo '== newer'; since=$({inspect % ('container', form, unit)})"
                f' && find {quote(reads)} -type f -newerct "$since"'
            )
        return StringCommand(f"timeout {_LOOK_SECONDS * 2} sh -c", QuoteString(f"{'; '.join(look)}; true"))

    @override
    def process(self, output: list[str]) -> Service:
        parts = _sections(output)
        image, _, labels = " ".join(parts.get("container", [])).partition(" ")
        known: dict[str, str] = json.loads(labels or "{}") or {}
        return Service(
            _unit(parts),
            active=parts.get("active") == ["active"],
            labels={label: value for label, value in known.items() if label.startswith(LABEL)},
            image=image,
            wanted_image="".join(parts.get("image", [])),
            pinned_image="".join(parts.get("pin", [])),
            newer=tuple(parts.get("newer", [])),
        )


def unit(template: str, reads: Sequence[HostFile] = (), *, into: str = "", **values: object) -> HostFile:
    """A unit from its template, or a drop-in `into` one; `{{ config }}` is the hash over it and what it reads.

    `image` is left out of the hash: images are compared by id, and a later drop-in may name another.
    """
    file = PurePosixPath(template).name
    path = f"{DIRECTORY}/{into}.d/{file}" if into else f"{DIRECTORY}/{file}"
    draft = HostFile(path, hostfiles.render(template, **{**values, "config": "", "image": ""}))
    return HostFile(path, hostfiles.render(template, config=config_label([draft, *reads]), **values))


def config_label(files: Sequence[HostFile]) -> str:
    """One hash over the files of the host, without their comments, in any order."""
    lines = sorted(f"{file.path} {file.mode} {file.owner} {file.group} {file.meaning}" for file in files)
    return digest("\0".join(lines))


def install(page: "Page", service: str, files: Sequence[HostFile]) -> None:
    """Units and drop-ins are on the host and loaded. Raises Refused, at load, when one breaks a rule."""
    faults = linter.lint({file.path: file.content for file in files})
    if faults:
        raise Refused(
            f"units of {service}", "\n  ".join(["", *faults]).lstrip(), "correct its templates in deploys/services"
        )
    hostfiles.register(page, files)
    services = sorted({linter.service_of(linter.unit_of(file.path)) for file in files})
    title = f"units of {service}"
    _install(
        page=page,
        files=list(files),
        services=services,
        **page.op(title, hostfiles.HOST_SECONDS + SPARE_SECONDS),
    )


def running(page: "Page", unit: str, image: str = "", *, reads: str = "", seconds: int = _RESTART_SECONDS) -> None:
    """The service is active with the configuration and image that its unit names; restarted only if needed.

    `image` is the pin that the container must run; leave it out if a later page's drop-in may name another one.
    `reads` is the folder whose files the program reads at its start.
    """
    page.uses(f"running {unit}", image)
    _running(
        page=page, unit=unit, image=image, reads=reads, seconds=seconds, **page.op(f"{unit} runs", seconds + 120)
    )


@operation()
def _install(page: "Page", files: list[HostFile], services: list[str]) -> Generator[StringCommand]:
    wanted = hostfiles.differing(files)
    if not wanted and all(host.get_fact(Units, service=service).fresh for service in services):
        host.noop(f"{page.id}: {', '.join(services)} are up to date")
        return
    page.may_change(", ".join(file.path for file in wanted) or "what systemd has loaded")
    yield install_command(page.id, wanted, services)


@operation()
def _running(page: "Page", unit: str, image: str, reads: str, seconds: int) -> Generator[StringCommand]:
    found = host.get_fact(Services, unit=unit, image=image, reads=reads)
    faults = found.faults(pinned=bool(image))
    if not faults and found.unit.fresh:
        host.noop(f"{page.id}: {unit} runs as configured")
        return
    page.may_change(f"{unit} ({', '.join(faults) or 'systemd has not loaded its current files'})")
    yield run_command(unit, image, seconds, restart=bool(faults))


def install_command(page_id: str, wanted: Sequence[HostFile], services: Sequence[str]) -> StringCommand:
    """Puts the units of `wanted` in place and loads all of `services`."""
    if not wanted:
        return bounded(_reload(services), hostfiles.HOST_SECONDS)
    return bounded(install_script(page_id, wanted, services), hostfiles.HOST_SECONDS, hostfiles.archive(wanted))


def install_script(page_id: str, wanted: Sequence[HostFile], services: Sequence[str]) -> str:
    """Shell: stage standard input, check, move, reload, assert; the old units stay until the move."""
    base = f"{hostfiles.STAGING}/{page_id}/units"
    new, stage = f"{base}/new", f"{base}/systemd"
    parents = " ".join(
        quote(folder) for folder in sorted({str(PurePosixPath(file.path).parent) for file in wanted})
    )
    return "; ".join(
        (
            hostfiles.clean(base, wanted),
            f"rm -rf {base}",
            hostfiles.unpack(new),
            _stage(stage, wanted),
            f"cp -R {new}{DIRECTORY}/. {stage}/",
            f"(export QUADLET_UNIT_DIRS={stage}; {DRY_RUN})",
            f"mkdir -p -m 0755 {parents}",
            hostfiles.replace(new, wanted),
            _reload(services),
        )
    )


def run_command(unit: str, image: str, seconds: int, *, restart: bool) -> StringCommand:
    """Reloads, and restarts if asked to; a failure shows the last lines of the container's log."""
    name = f"{unit}.service"
    log = gate.last_lines(unit.removeprefix("motorcade-"))
    script = [
        f'fail() {{ echo "{name}: $1"; {log} exit 1; }}',
        "timeout 60 systemctl daemon-reload",
        f'[ "$(systemctl show -P LoadState {name})" = loaded ] || fail "no such unit; install it first"',
    ]
    if image:
        ids = "\"$(timeout 10 podman image inspect --format '{{.Id}}' %s 2>/dev/null)\""
        script.append(
            f"[ {ids % _named_image(unit)} = {ids % quote(image)} ]"
            f' || fail "its unit does not name {image}; run the page that owns the unit again"'
        )
    if restart:
        script += [
            # A start limit that was reached also blocks the socket, and manual restarts count.
            f"systemctl reset-failed {name} {unit}.socket 2>/dev/null || true",
            f'timeout {seconds} systemctl restart {name} || fail "does not start; see its log"',
            # conmon reports readiness early: what cannot start exits within this second; a gate covers the rest.
            f'sleep 1; systemctl is-active --quiet {name} || fail "exited at once; see its log"',
        ]
    return StringCommand("sh -c", QuoteString("; ".join(script)))


def _stage(stage: str, wanted: Sequence[HostFile]) -> str:
    """Shell: all units of the host except other pages' containers, whose faults are not this page's."""
    own = sorted({linter.unit_of(file.path) for file in wanted})
    others = " ".join(f"! -name {quote(unit)}" for unit in own)
    return (
        f"mkdir -m 0700 {stage}; if [ -d {DIRECTORY} ]; then cp -R {DIRECTORY}/. {stage}/; fi;"
        f" rm -rf {stage}/users; find {stage} -maxdepth 1 -name '*.container' {others} -delete"
    )


def _reload(services: Sequence[str]) -> str:
    checks = [
        f'[ "$(systemctl show -P LoadState {service})" = loaded ]'
        f' || {{ echo "{service}: not loaded after the reload; see systemctl status {service}"; exit 1; }}'
        for service in services
    ]
    return "; ".join(["systemctl daemon-reload", *checks])


def _look(service: str) -> str:
    """Shell: one service as the generator would make it, as systemd has loaded it, and its state."""
    only = quote(f'/^---.*---$/ {{ on = ($0 == "---{service}---"); next }} on')
    return (
        f'{_FIND}; wanted=$([ -z "$generator" ] || "$generator" --dryrun 2>/dev/null | awk {only});'
        f" echo '== wanted'; printf '%s\\n' \"$wanted\";"
        f" echo '== loaded'; cat {_GENERATED}/{service} 2>/dev/null;"
        f" echo; echo '== state'; systemctl show -P LoadState {service}"
    )


def _named_image(unit: str) -> str:
    """Shell: the image that a unit names once its drop-ins are joined."""
    return f"\"$(sed -n 's/^Image=//p' {_GENERATED}/{unit}.service 2>/dev/null | tail -n 1)\""


def _sections(output: Sequence[str]) -> dict[str, list[str]]:
    """The lines below each `== title`, without comments and blank lines.

    The generator orders some options of ExecStart differently at every call, so its words are sorted; the X-
    section beside it is left as written.
    """
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output:
        if line.startswith("== "):
            lines = parts.setdefault(line[3:], [])
        elif line.strip() and not line.startswith("#"):
            lines.append(" ".join(sorted(line.split())) if line.startswith("ExecStart=") else line)
    return parts


def _unit(parts: dict[str, list[str]]) -> Unit:
    return Unit(tuple(parts.get("wanted", [])), tuple(parts.get("loaded", [])), "".join(parts.get("state", [])))
