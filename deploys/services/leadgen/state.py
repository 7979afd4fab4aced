"""The state of the intake, and which release runs."""

import re
from typing import TYPE_CHECKING, Final

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.services.leadgen import ADDRESS, LEADGEN, api_keys

if TYPE_CHECKING:
    from deploys.kit.plan.pins import Release
    from deploys.kit.plan.settings import Settings

# The release that its drop-in names, its readiness, and its health; empty on a host without an intake.
_LOOK: Final = (
    "cd /etc/containers/systemd/motorcade-leadgen-api.container.d 2>/dev/null && [ -f 50-release.conf ] || exit 0;"
    " sed -n 's/^Image=.*://p' 50-release.conf;"
    f' ask() {{ curl --silent --max-time 5 "$@"; }}; ask http://{ADDRESS}/lead/ready --output /dev/null'
    f" --write-out '%{{http_code}}\\n'; ask http://{ADDRESS}/lead/health"
)


def differences(host: Host, settings: "Settings") -> list[tuple[str, str]]:
    """API keys that have expired, or will soon."""
    return [("key", trouble) for trouble in api_keys.ending(host, settings.expiry_days)]


def troubles(host: Host, _settings: object, release: "Release | None") -> list[str]:
    """What the intake says of itself, where there is one; nothing when all is well and the pinned release runs."""
    ref = LEADGEN.pin(release).ref if release else ""
    answer = host.get_fact(Probe, _LOOK)
    if not answer.lines:
        return []
    running, ready, *health = answer.lines
    found = (
        []
        if ready == "200"
        else [f"{host.name}: no lead can be stored now (/lead/ready is {ready}); read its log"]
    )
    down = re.findall(r'"(\w+)": "(?:degraded|down)"', " ".join(health).partition('"dependencies"')[2])
    found += (
        [f"{host.name}: the intake lacks {', '.join(down)}; docs/runbooks/incident-first-steps.md"] if down else []
    )
    if ref and not running.startswith(f"{ref.replace('/', '-')}-"):
        found.append(
            f"{host.name}: the intake runs {running}, and the pin is {ref}; deploys/leadgen_02.py returns to it"
        )
    return found
