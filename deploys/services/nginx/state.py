"""The edge as it runs: with the files that lie there, and with a certificate that has not ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.services.nginx import Edge, nginx

if TYPE_CHECKING:
    from deploys.kit.plan.settings import Settings

_ABSENT: Final = 1  # as `[` ends; a host too slow to tell is asked on, and does not pass for one without an edge
_FORM: Final = "%Y-%m-%d %H:%M:%SZ"  # OpenSSL's own for ISO 8601


def differences(host: Host, settings: "Settings") -> list[tuple[str, str]]:
    """The same for drift."""
    return [("edge", trouble) for trouble in troubles(host, settings, None)]


def troubles(host: Host, settings: "Settings | None", _release: object) -> list[str]:
    """What is wrong, each as `where: what; what to do`; nothing on a host without an edge."""
    if settings is None or host.get_fact(Probe, f"[ -f {nginx.DROP_IN} ]").status == _ABSENT:
        return []
    end = f"openssl x509 -noout -enddate -dateopt iso_8601 -in {quote(settings.of(Edge).edge_certificate)}"
    told = host.get_fact(Probe, end)
    soon = ending(settings, told.lines if told.green else [], datetime.now(UTC))
    return [*soon, *unlike(nginx.faults(host))]


def unlike(faults: Sequence[str]) -> list[str]:
    """One sentence for what nginx.faults has found."""
    if not faults:
        return []
    # To load what lies there is right only where nobody has edited it; whether somebody has, others tell.
    end = "reload" if faults == [nginx.STALE] else "daemon-reload; sudo systemctl restart"
    told = f"{nginx.UNIT}: does not run as it lies on the host ({', '.join(faults)})"
    return [f"{told}; where no file was changed: sudo systemctl {end} nginx"]


def ending(settings: "Settings", told: list[str], now: datetime) -> list[str]:
    """A certificate that is over, ends within `expiry_days`, or does not say when."""
    edge = settings.of(Edge)
    where = f"certificate of {edge.edge_host}"
    renew = f"put a new one in {edge.edge_certificate} and its key beside it, then sudo systemctl reload nginx"
    try:
        end = datetime.strptime("".join(told).removeprefix("notAfter="), _FORM).replace(tzinfo=UTC)
    except ValueError:
        return [f"{where}: cannot be read; {renew}"]
    if end - now > timedelta(days=settings.expiry_days):
        return []
    return [f"{where}: {'ended' if end <= now else 'ends'} at {end:%F %R} UTC; {renew}"]
