"""The state of the edge: whether it runs with its current files and limits, and what of it expires."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.host import Host

from deploys.kit.facts import Answer, Probe
from deploys.services.nginx import Edge, limits, nginx, security_txt

if TYPE_CHECKING:
    from deploys.kit.plan.settings import Settings

_ABSENT: Final = 1  # exit status of `[`; a host too slow to answer is not taken for one without an edge
_FORM: Final = "%Y-%m-%d %H:%M:%SZ"  # OpenSSL's own for ISO 8601


def differences(host: Host, settings: "Settings") -> list[tuple[str, str]]:
    """The same for drift."""
    return [("edge", trouble) for trouble in troubles(host, settings, None)]


def troubles(host: Host, settings: "Settings | None", _release: object) -> list[str]:
    """What is wrong, each as `where: what; what to do`; empty on a host without an edge."""
    if settings is None or host.get_fact(Probe, f"[ -f {nginx.DROP_IN} ]").status == _ABSENT:
        return []
    end = f"openssl x509 -noout -enddate -dateopt iso_8601 -in {quote(settings.of(Edge).edge_certificate)}"
    answer = host.get_fact(Probe, end)
    now = datetime.now(UTC)
    soon = ending(settings, answer.lines if answer.green else [], now)
    soon += outdated(settings, host.get_fact(Probe, f"sed -n 's/^Expires: //p' {security_txt.FILE}").lines, now)
    return [*soon, *unlike(nginx.faults(host)), *unloaded(host.get_fact(Probe, limits.LOADED))]


def outdated(settings: "Settings", lines: list[str], now: datetime) -> list[str]:
    """A security.txt that readers no longer trust, or soon will not; no line where there is none."""
    try:
        end = datetime.fromisoformat("".join(lines))
    except ValueError:
        return []
    if end - now > timedelta(days=settings.expiry_days):
        return []
    remedy = "set edge_security_expires in group_data to a day within a year, then run deploys/plat_07a.py"
    where = f"security.txt of {settings.of(Edge).edge_host}"
    return [f"{where}: {'expired' if end <= now else 'expires'} at {end:%F %R} UTC; {remedy}"]


def unlike(faults: Sequence[str]) -> list[str]:
    """One sentence for what nginx.faults found."""
    if not faults:
        return []
    # Loading the files is right only if they were not edited; drift reports edits separately.
    end = "reload" if faults == [nginx.STALE] else "daemon-reload; sudo systemctl restart"
    problem = f"{nginx.UNIT}: does not run with the files on the host ({', '.join(faults)})"
    return [f"{problem}; if no file was edited: sudo systemctl {end} nginx"]


def unloaded(answer: Answer) -> list[str]:
    """One sentence for limits that are not in the kernel."""
    if answer.green:
        return []
    return [f"{limits.UNIT}: {'; '.join(answer.lines)}; sudo systemctl restart {limits.UNIT.partition('.')[0]}"]


def ending(settings: "Settings", lines: list[str], now: datetime) -> list[str]:
    """A certificate that has expired, expires within `expiry_days`, or cannot be read."""
    edge = settings.of(Edge)
    where = f"certificate of {edge.edge_host}"
    renew = f"put a new one in {edge.edge_certificate} and its key beside it, then sudo systemctl reload nginx"
    try:
        end = datetime.strptime("".join(lines).removeprefix("notAfter="), _FORM).replace(tzinfo=UTC)
    except ValueError:
        return [f"{where}: cannot be read; {renew}"]
    if end - now > timedelta(days=settings.expiry_days):
        return []
    return [f"{where}: {'ended' if end <= now else 'ends'} at {end:%F %R} UTC; {renew}"]
