"""The host's own packages: which security updates wait, which install themselves, and what they leave to do."""

from typing import TYPE_CHECKING, Any, Final

from pyinfra import logger
from pyinfra.context import host

from deploys.kit.facts import Probe
from deploys.kit.operations import units as systemd
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

PROGRAM: Final = "/usr/local/libexec/motorcade/host-updates"
DUE: Final = "/run/motorcade-updates/due"  # what `host-updates due` last said
TIMER: Final = "motorcade-updates.timer"
# What pages pin, and what starts containers and answers the public: a person updates it on patch day.
HELD: Final = (
    *("aardvark-dns", "conmon", "crun", "netavark", "podman"),
    *("libnginx-mod-*", "nginx", "nginx-*"),
    *("pgbackrest", "postgresql-client-*"),
)
CONFIGURATION: Final = "/etc/apt/apt.conf.d/90motorcade-updates"
_GATE: Final = "MOTORCADE_UNATTENDED"
_SERVICE: Final = "motorcade-updates.service"
_UNITS: Final = "/etc/systemd/system"
_DROP_IN: Final = f"{_UNITS}/apt-daily-upgrade.service.d/50-motorcade.conf"
_TIMERS: Final = ("apt-daily.timer", "apt-daily-upgrade.timer")
HAS_APT: Final = "[ -x /usr/bin/apt-get ]"
INSTALLED: Final = "command -v unattended-upgrade"
# Of what apt has read, the origins and the packages that are held.
READ: Final = (
    "apt-config dump | grep -q '^Unattended-Upgrade::Origins-Pattern:: .*-security,label=Debian-Security' &&"
    ' [ "$(apt-config dump | grep -c "^Unattended-Upgrade::Origins-Pattern:: ")" = 1 ] &&'
    f' [ "$(apt-config dump | grep -c "^Unattended-Upgrade::Package-Blacklist:: ")" = {len(HELD)} ]'
)
GATED: Final = f"! {_GATE}=1 /usr/sbin/policy-rc.d nginx restart && /usr/sbin/policy-rc.d nginx restart"


def files(page: "Page") -> list[HostFile]:
    """The program that says what waits; and, by apt, what is installed by itself."""
    of: dict[str, Any] = {
        "page": page.id,
        "held": HELD,
        "gate": _GATE,
        "program": PROGRAM,
        "due": DUE,
        "runtime": DUE.split("/")[2],
    }
    return [
        HostFile(PROGRAM, render("platform/host-updates", **of), "755"),
        HostFile("/usr/sbin/policy-rc.d", render("platform/policy-rc.d", **of), "755"),
        HostFile(CONFIGURATION, render("platform/90motorcade-updates", **of)),
        HostFile(_DROP_IN, render("platform/50-updates.conf", **of)),
        *(HostFile(f"{_UNITS}/{unit}", render(f"platform/{unit}", **of)) for unit in (_SERVICE, TIMER)),
    ]


def directories() -> list[HostDirectory]:
    parents = ("/usr/local/libexec", PROGRAM.rpartition("/")[0], _DROP_IN.rpartition("/")[0])
    return [HostDirectory(folder) for folder in parents]


def running(page: "Page") -> None:
    """Systemd has read the units, and the timers run: the distribution's two, and ours."""
    systemd.loaded(page, _SERVICE)
    systemd.loaded(page, "apt-daily-upgrade.service")
    for timer in (*_TIMERS, TIMER):
        systemd.enabled(page, timer)
        systemd.running(page, timer)


def by_apt(page: "Page") -> bool:
    """At load: whether this host gets its updates by apt. Where it does not, that is on record."""
    if host.get_fact(Probe, HAS_APT).green:
        return True
    why = "security updates of this distribution are neither installed by themselves nor judged"
    logger.warning(f"{host.name}: {page.id}: {why}; install them by hand on patch day")
    page.run.note(page.id, {"warning": why})
    return False
