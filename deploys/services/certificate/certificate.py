"""The certificate by ACME: its settings, programs and units, and the way back to files."""

import re
from collections.abc import Generator, Iterator
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.errors import Refused
from deploys.kit.facts import Probe, digest
from deploys.kit.operations import hostfiles, units
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.shell import SPARE_SECONDS, bounded
from deploys.services.certificate import Acme
from deploys.services.nginx import Edge, nginx

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

USER: Final = "motorcade-certificate"
USER_FILE: Final = f"/etc/sysusers.d/{USER}.conf"
STATE: Final = f"/var/lib/{USER}"  # certbot's: the account, and every pair that was issued
PAIRS: Final = "/etc/ssl/motorcade-certificate"  # what nginx reads, and what it read before
RENEW: Final = "motorcade-certificate-renew.service"
INSTALL: Final = "motorcade-certificate.service"  # starts RENEW first
TIMER: Final = "motorcade-certificate.timer"
OTHER_TIMER: Final = "certbot.timer"  # the package's own
ROUTE: Final = f"{nginx.OWN}/routes.d/certificate.conf"
PROGRAMS: Final = "/usr/local/libexec/motorcade"
_UNITS: Final = "/etc/systemd/system"
_FILES: Final = (
    *(f"{PROGRAMS}/{program}" for program in ("certificate-renew", "certificate-install")),
    *(f"{_UNITS}/{unit}" for unit in (RENEW, INSTALL, TIMER)),
)
IN_USE: Final = f"{PROGRAMS}/certificate-install check"
RENEWED: Final = f"! systemctl is-failed --quiet {RENEW} {INSTALL}"
WHY: Final = f"journalctl --unit {RENEW} --unit {INSTALL} --since -15min --lines 30 --no-pager --output cat"
ISSUE_SECONDS: Final = 900  # both units, to their own limits
# Nothing that a shell or certbot would read as more than a letter.
_FORMS: Final = {
    "certificate_directory": (r"https://[\w.-]+(:\d+)?/[\w./~-]*", "an https address"),
    "certificate_contact": (r"[\w.%+-]+@[\w.-]+", "a mail address"),
    "certificate_profile": (r"[\w-]+", "the name of a profile"),
    "certificate_ca_file": (r"/[\w./-]+", "a path on the host"),
}


def by_acme(page: "Page") -> bool:
    """Whether a server issues the certificate. Raises Refused, at load, with everything that is wrong."""
    own = page.settings.of(Acme)
    if faults := list(_faults(own)):
        raise Refused("group_data", ", ".join(faults), "set them there as group_data/all.py shows")
    return own.certificate_directory is not None


def values(page: "Page") -> dict[str, Any]:
    """What the templates are rendered with."""
    own, edge = page.settings.of(Acme), page.settings.of(Edge)
    # Another server or profile is another certificate: certbot would keep the old one until it is due.
    lineage = digest(f"{own.certificate_directory} {own.certificate_profile} {edge.edge_host}")[:12]
    return {
        "page": page.id,
        "user": USER,
        "state": STATE,
        "pairs": PAIRS,
        "runtime": RENEW.removesuffix(".service"),
        "renew": RENEW,
        "install": INSTALL,
        "programs": PROGRAMS,
        "lineage": lineage,
        "directory": own.certificate_directory,
        "contact": own.certificate_contact,
        "profile": own.certificate_profile,
        "ca_file": own.certificate_ca_file,
        "edge_host": edge.edge_host,
        "edge_certificate": edge.edge_certificate,
        "edge_key": edge.edge_key,
        "burst": edge.edge_burst,
        "folders": sorted({path.rpartition("/")[0] for path in (edge.edge_certificate, edge.edge_key)}),
    }


def user_file(**of: object) -> HostFile:
    return HostFile(USER_FILE, render(f"certificate/{USER}.conf", **of))


def files(**of: object) -> list[HostFile]:
    """Programs and units."""
    return [HostFile(path, render(f"certificate/{path.rpartition('/')[2]}", **of), _mode(path)) for path in _FILES]


def route(**of: object) -> HostFile:
    return HostFile(ROUTE, render("certificate/certificate.conf", **of))


def running(page: "Page") -> None:
    """Our timer alone asks for certificates, and nginx serves the newest one."""
    units.disabled(page, OTHER_TIMER)
    for unit in (RENEW, INSTALL):
        units.loaded(page, unit)
    units.done(page, INSTALL, probe=f"{RENEWED} && {IN_USE}", seconds=ISSUE_SECONDS, why=WHY)
    units.enabled(page, TIMER)
    units.running(page, TIMER)


def by_files(page: "Page") -> None:
    """Nothing of ACME is left but the pairs and the account; what nginx serves stays, as files."""
    edge = page.settings.of(Edge)
    units.disabled(page, TIMER)
    paths = {"edge_certificate": edge.edge_certificate, "edge_key": edge.edge_key}
    script = render("certificate/copy-links.sh", page=page.id, pairs=PAIRS, **paths)
    page.uses("no links", script)
    _copied(page=page, script=script, **page.op("no link to what was issued", hostfiles.HOST_SECONDS))
    for path in (ROUTE, *_FILES, USER_FILE):
        hostfiles.absent(page, path)
    for unit in (RENEW, INSTALL):
        units.forgotten(page, unit)


@operation()
def _copied(page: "Page", script: str) -> Generator[StringCommand]:
    edge = page.settings.of(Edge)
    linked = " || ".join(
        f"case $(readlink {quote(path)}) in {PAIRS}/*) true ;; *) false ;; esac"
        for path in (edge.edge_certificate, edge.edge_key)
    )
    if not host.get_fact(Probe, linked).green:
        host.noop(f"{page.id}: the certificate is files")
        return
    page.may_change(edge.edge_certificate)
    yield bounded(script, hostfiles.HOST_SECONDS - SPARE_SECONDS)


def _mode(path: str) -> str:
    return "755" if path.startswith(PROGRAMS) else "644"


def _faults(own: Acme) -> Iterator[str]:
    for name, (form, what) in _FORMS.items():
        value = getattr(own, name)
        if value and not re.fullmatch(form, value, re.ASCII):
            yield f"{name} is {value!r}, not {what}"
