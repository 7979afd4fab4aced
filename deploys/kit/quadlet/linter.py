"""Faults of a Quadlet unit and its drop-ins that the generator accepts, or answers by dropping the unit."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath
from typing import Final, NamedTuple

# All keys that Podman 5.4 knows (each was tried with its generator); it drops a unit with any other key.
KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "Container": frozenset(
        """
        AddCapability AddDevice AddHost Annotation AutoUpdate CgroupsMode ContainerName ContainersConfModule DNS
        DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost Exec
        ExposeHostPort GIDMap GlobalArgs Group GroupAdd HealthCmd HealthInterval HealthLogDestination
        HealthMaxLogCount HealthMaxLogSize HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd
        HealthStartupInterval HealthStartupRetries HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName
        IP IP6 Image Label LogDriver LogOpt Mask Mount Network NetworkAlias NoNewPrivileges Notify PidsLimit Pod
        PodmanArgs PublishPort Pull ReadOnly ReadOnlyTmpfs RemapGid RemapUid RemapUidSize RemapUsers Rootfs RunInit
        SeccompProfile Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested
        SecurityLabelType ServiceName ShmSize StartWithPod StopSignal StopTimeout SubGIDMap SubUIDMap Sysctl
        Timezone Tmpfs UIDMap Ulimit Unmask User UserNS VolatileTmp Volume WorkingDir
        """.split()
    ),
    "Network": frozenset(
        """
        ContainersConfModule DNS DisableDNS Driver Gateway GlobalArgs IPAMDriver IPRange IPv6 Internal Label
        NetworkName Options PodmanArgs ServiceName Subnet
        """.split()
    ),
    "Volume": frozenset(
        """
        ContainersConfModule Copy Device Driver GlobalArgs Group Image Label Options PodmanArgs ServiceName Type
        User VolumeName
        """.split()
    ),
    "Quadlet": frozenset({"DefaultDependencies"}),
}
KINDS: Final = {".container": "Container", ".network": "Network", ".volume": "Volume"}
PODMAN_STOP_SECONDS: Final = 10  # Podman's own StopTimeout if a unit names none
OWN_KEYS: Final = frozenset(
    # Flags that exist as keys of a unit, where the rules below check them, or that expose the host.
    """
    --publish --publish-all --expose --log-driver --log-opt --net --network --privileged --pull --env --env-file
    --env-host --secret --pid --ipc --uts --userns --cap-add --security-opt --device --sdnotify --health-cmd
    --label --name --restart --cgroups
    """.split()
)
_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|\[::1\]):\d+(-\d+)?:\d+(-\d+)?(/(tcp|udp|sctp))?")
_PINNED: Final = re.compile(
    r"(sha256:)?[0-9a-f]{64}"
    r"|localhost/motorcade-[a-z0-9-]+:[A-Za-z0-9_.+-]+-[0-9a-f]{12}"
    r"|[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}"
)
_NETWORK: Final = re.compile(r"none|[a-z0-9-]+\.network(:.+)?")
_SECRET_NAME: Final = re.compile(r"PASSWORD|PASSWD|TOKEN|KEY|SECRET", re.IGNORECASE)
_PATH_NAME: Final = re.compile(r"_(FILE|PATH|DIR|DIRECTORY)$", re.IGNORECASE)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_SECONDS: Final = {
    unit: seconds
    for units, seconds in (
        ("us usec", 1e-6),
        ("ms msec", 1e-3),
        (" s sec second seconds", 1.0),
        ("m min minute minutes", 60.0),
        ("h hr hour hours", 3600.0),
        ("d day days", 86400.0),
    )
    for unit in units.split(" ")
}


class Setting(NamedTuple):
    """One line of one file."""

    file: str
    section: str
    key: str
    value: str


@dataclass
class Unit:
    """A unit as the generator joins it: its file first, then its drop-ins in the order of their names.

    `whole` is False when only drop-ins are given: what they lack may be in the unit.
    """

    name: str
    kind: str
    whole: bool = False
    settings: list[Setting] = field(default_factory=list)

    def values(self, section: str, *keys: str) -> Iterator[Setting]:
        return (one for one in self.settings if one.section == section and one.key in keys)

    def last(self, section: str, key: str) -> str | None:
        """The effective value of a scalar: the last one."""
        found = [one.value for one in self.values(section, key)]
        return found[-1] if found else None


def unit_of(path: str) -> str:
    """The Quadlet unit that a file is, or is a drop-in of; empty when it is neither."""
    file = PurePosixPath(path)
    if file.suffix == ".conf" and file.parent.suffix == ".d":
        file = PurePosixPath(file.parent.stem)
    return file.name if file.suffix in KINDS else ""


def service_of(unit: str) -> str:
    """The systemd service that the generator makes of a unit."""
    name = PurePosixPath(unit)
    return f"{name.stem}.service" if name.suffix == ".container" else f"{name.stem}-{name.suffix[1:]}.service"


def lint(files: Mapping[str, str]) -> list[str]:
    """Every fault of these units and drop-ins (path -> text), one line each."""
    faults = [
        f"{path}: neither a Quadlet unit nor a drop-in of one; place it with hostfiles.place"
        for path in files
        if not unit_of(path)
    ]
    paths = sorted((path for path in files if unit_of(path)), key=lambda path: (unit_of(path), _rank(path)))
    for name, group in groupby(paths, key=unit_of):
        unit = Unit(name, KINDS[PurePosixPath(name).suffix])
        for path in group:
            unit.whole = unit.whole or PurePosixPath(path).name == name
            faults += parse(path, files[path], unit.settings)
        faults += [f"{name}: {fault}" for rule in _RULES[unit.kind] for fault in rule(unit)]
    return faults


def parse(path: str, text: str, settings: list[Setting]) -> list[str]:
    """Appends the file's settings; returns a fault for every other line."""
    section, faults = "", []
    for number, line in enumerate(re.sub(r"\\\n", " ", text).splitlines(), 1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        key, equals, value = bare.partition("=")
        if bare.startswith("[") and bare.endswith("]"):
            section = bare[1:-1]
        elif equals and section:
            settings.append(Setting(PurePosixPath(path).name, section, key.strip(), value.strip()))
        else:
            faults.append(f"{path}:{number}: neither a section nor a setting; write Key=value below a [Section]")
    return faults


def seconds(span: str | None) -> float | None:
    """A systemd time span in seconds; None if it is missing, infinite, or invalid."""
    text = (span or "").strip()
    parts = _SPAN.findall(text)
    if not parts or _SPAN.sub("", text).strip() or any(unit not in _SECONDS for _, unit in parts):
        return None
    return sum(float(figure) * _SECONDS[unit] for figure, unit in parts)


def _rank(path: str) -> tuple[bool, str]:
    file = PurePosixPath(path)
    return file.suffix == ".conf", file.name


def _unknown(unit: Unit) -> Iterator[str]:
    for file, section, key, _ in unit.settings:
        if section in (unit.kind, "Quadlet"):
            if key not in KNOWN[section]:
                yield f"[{section}] {key}= in {file} is unknown to podman 5.4, which drops the unit; remove it"
        elif section not in ("Unit", "Service", "Install") and not section.startswith("X-"):
            yield f"[{section}] in {file} is not a section of a {unit.kind} unit; correct its name"
    for one in unit.values("Service", "User", "Group", "DynamicUser"):
        yield f"[Service] {one.key}= in {one.file} is refused by the generator; write User= in [Container]"
    for one in unit.values(unit.kind, "ServiceName"):
        yield f"ServiceName= in {one.file} gives one service two names; name the file after it"


def _start_limits(unit: Unit) -> Iterator[str]:
    for file, section, key, _ in unit.settings:
        if key.startswith("StartLimit") and section not in ("Unit", unit.kind):
            yield f"{key}= in {file} has no effect in [{section}]; write it in [Unit]"


def _ports(unit: Unit) -> Iterator[str]:
    for one in unit.values("Container", "PublishPort"):
        if one.value and not _LOOPBACK.fullmatch(one.value):
            yield f"PublishPort={one.value} is not bound to loopback; write 127.0.0.1:HOST:CONTAINER"


def _networks(unit: Unit) -> Iterator[str]:
    for one in unit.values("Container", "Network"):
        if one.value and not _NETWORK.fullmatch(one.value):
            yield f"Network={one.value} is not one of our networks; use a .network unit, or none"


def _logs(unit: Unit) -> Iterator[str]:
    for one in unit.values("Container", "LogDriver"):
        if one.value != "k8s-file":
            yield f"LogDriver={one.value}; write k8s-file"
    if not unit.whole:
        return
    options = dict(one.value.partition("=")[::2] for one in unit.values("Container", "LogOpt"))
    if unit.last("Container", "LogDriver") is None:
        yield "no LogDriver=; write k8s-file"
    if not options.get("max-size"):
        yield "the log has no size limit; write LogOpt=max-size="
    if not options.get("path", "").startswith("/var/log/motorcade/"):
        yield "the log goes with the container; write LogOpt=path=/var/log/motorcade/SERVICE/container.log"


def _arguments(unit: Unit) -> Iterator[str]:
    for one in unit.values(unit.kind, "PodmanArgs", "GlobalArgs"):
        for word in _words(one.value):
            flag = word.partition("=")[0]
            if flag in OWN_KEYS:
                yield f"{one.key}={one.value}: {flag} bypasses the rules; use the unit's own keys"
            elif re.match(r"-[^-]", word):
                yield f"{one.key}={one.value}: {word} may hide a -p; write the long form"


def _image(unit: Unit) -> Iterator[str]:
    for one in unit.values("Container", "Image"):
        if not _PINNED.fullmatch(one.value):
            yield f"Image={one.value} is not a pin; write an image id, or localhost/motorcade-NAME:VERSION-PIN"
    for one in unit.values("Container", "Rootfs"):
        yield f"Rootfs={one.value} cannot be pinned; use Image="
    for one in unit.values("Container", "Pull"):
        if one.value != "never":
            yield f"Pull={one.value}; write never: only a page brings images to the host"
    if unit.whole and unit.last("Container", "Image") is None:
        yield "no Image=; write one"
    if unit.whole and unit.last("Container", "Pull") is None:
        yield "no Pull=; write never: only a page brings images to the host"


def _health(unit: Unit) -> Iterator[str]:
    for one in unit.values("Container", "HealthCmd", "HealthStartupCmd"):
        if '"' in one.value:
            yield f"{one.key}={one.value}: double quotes are broken in podman 5.7; use a script in the image"
    for one in unit.values("Container", "Notify"):
        if one.value == "healthy":
            yield "Notify=healthy never becomes ready with a static podman; remove it"
    if (
        unit.whole
        and unit.last("Container", "HealthCmd")
        and unit.last("Container", "HealthInterval") != "disable"
    ):
        yield "a health timer is a silent no-op with a static podman; write HealthInterval=disable and a timer"


def _secrets(unit: Unit) -> Iterator[str]:
    for section in ("Container", "Service"):
        for one in unit.values(section, "Environment"):
            names = [word.partition("=")[0] for word in _words(one.value)]
            for name in names:
                if _SECRET_NAME.search(name) and not _PATH_NAME.search(name):
                    yield f"Environment {name} in {one.file} looks like a secret; deliver it by Secret= as a file"


def _name(unit: Unit) -> Iterator[str]:
    found = unit.last("Container", "ContainerName")
    wanted = PurePosixPath(unit.name).stem
    if found != wanted and (unit.whole or found is not None):
        yield f"ContainerName={found or ''}; write {wanted}: a container is named as its unit"


def _label(unit: Unit) -> Iterator[str]:
    """Without a label of its own, a file's change would never reach the running container."""
    for file, group in groupby(unit.settings, key=lambda one: one.file):
        # An image is compared by its id, so a drop-in that names only the image needs no label.
        shaping = [one for one in group if one.section == "Container" and one.key != "Image"]
        prefix = "motorcade.config=" if file == unit.name else "motorcade.config."
        if shaping and not any(one.key == "Label" and one.value.startswith(prefix) for one in shaping):
            suffix = "" if file == unit.name else ".PAGE"
            yield f"{file} has no label; write Label=motorcade.config{suffix}={{{{ config }}}}"


def _bounds(unit: Unit) -> Iterator[str]:
    if not unit.whole:
        return
    for key in ("MemoryMax", "TasksMax", "CPUQuota"):
        if unit.last("Service", key) in (None, "", "infinity"):
            yield f"no {key}=; write it in [Service]"
    for key in ("StartLimitIntervalSec", "StartLimitBurst"):
        if not seconds(unit.last("Unit", key)):
            yield f"no {key}=; write it in [Unit]"
    if unit.last("Service", "Restart") in (None, "", "no"):
        yield "no Restart=; write it in [Service]"
    if (seconds(unit.last("Service", "RestartSec")) or 0) < 1:
        yield "RestartSec= below a second; write 1 or more in [Service]"


def _timeouts(unit: Unit) -> Iterator[str]:
    for one in unit.values("Service", "TimeoutSec"):
        yield f"TimeoutSec={one.value} overrides both; write TimeoutStartSec= and TimeoutStopSec="
    if not unit.whole:
        return
    if not seconds(unit.last("Service", "TimeoutStartSec")):
        yield "no TimeoutStartSec=; write it in [Service]"
    stop = seconds(unit.last("Service", "TimeoutStopSec"))
    given = seconds(unit.last("Container", "StopTimeout") or f"{PODMAN_STOP_SECONDS}")
    if stop is None or given is None or stop <= given:
        yield "TimeoutStopSec= is not above StopTimeout=; systemd would kill what podman still waits for: raise it"


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # an open quote: split at blanks
        return value.split()


Rule = Callable[[Unit], Iterator[str]]
_COMMON: Final[tuple[Rule, ...]] = (_unknown, _start_limits, _arguments)
_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Container": (
        *_COMMON,
        *(_ports, _networks, _logs, _image, _health, _secrets, _name, _label, _bounds, _timeouts),
    ),
    "Network": _COMMON,
    "Volume": _COMMON,
}
