"""A host's clock: whether it is right as far as the operator's machine can tell, and whether it is kept so."""

import time
from typing import Final

from pyinfra.api.host import Host

from deploys.inspect.finding import Finding
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe

TOLERANCE_SECONDS: Final = 2.0
# A container has the clock of the machine below it and cannot say who keeps that right; nor can a host without
# timedatectl: there the offset alone is judged.
_LOOK: Final = (
    "date +%s.%N; systemd-detect-virt --container --quiet"
    " || timedatectl show --property=NTPSynchronized --value 2>/dev/null || true"
)


def look(host: Host) -> list[Finding]:
    """Raises Refused where the host does not tell."""
    before = time.time()
    answer = host.get_fact(Probe, _LOOK)
    after = time.time()
    if not answer.green:
        raise Refused(host.name, f"does not tell the time ({answer.lines})", "look at `date` there")
    return judge(before, float(answer.lines[0]), after, answer.lines[1:])


def judge(before: float, there: float, after: float, synchronised: list[str]) -> list[Finding]:
    """`there` is the host's time at some moment between the two of this machine."""
    remedy = "sudo timedatectl set-ntp true, and see that its servers answer"
    found = []
    if off := max(before - TOLERANCE_SECONDS - there, there - after - TOLERANCE_SECONDS, 0.0):
        off += TOLERANCE_SECONDS
        found.append(Finding("clock", "time", f"is {off:.0f} seconds off this machine's", remedy))
    if synchronised == ["no"]:
        found.append(Finding("clock", "synchronisation", "nothing keeps the clock right", remedy))
    return found
