"""What the intake says of itself, and which release it is."""

import re
from typing import Final

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.services.leadgen import ADDRESS

# The release that its drop-in names, how ready it is, and its health; nothing on a host without one.
_LOOK: Final = (
    "cd /etc/containers/systemd/motorcade-leadgen-api.container.d 2>/dev/null && [ -f 50-release.conf ] || exit 0;"
    " sed -n 's/^Image=.*://p' 50-release.conf;"
    f' ask() {{ curl --silent --max-time 5 "$@"; }}; ask http://{ADDRESS}/lead/ready --output /dev/null'
    f" --write-out '%{{http_code}}\\n'; ask http://{ADDRESS}/lead/health"
)


def troubles(host: Host, ref: str) -> list[str]:
    """What the intake says of itself, where there is one; nothing when all is well and the pin's `ref` runs."""
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
        [f"{host.name}: the intake misses {', '.join(down)}; docs/runbooks/incident-first-steps.md"]
        if down
        else []
    )
    if ref and not running.startswith(f"{ref.replace('/', '-')}-"):
        found.append(
            f"{host.name}: the intake runs {running}, and the pin is {ref}; deploys/leadgen_02.py returns to it"
        )
    return found
