"""A host's clock: whether it agrees with the operator's machine, and whether it is synchronised."""

import time
from typing import Final

from pyinfra.api.host import Host

from deploys.inspect.finding import Finding
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe

TOLERANCE_SECONDS: Final = 2.0
# A container has the clock of its machine and cannot say what synchronises it; nor can a host without
# timedatectl. There, only the offset is checked.
_LOOK: Final = (
    "date +%s.%N; systemd-detect-virt --container --quiet"
    " || timedatectl show --property=NTPSynchronized --value 2>/dev/null || true"
)


def look(host: Host) -> list[Finding]:
    """Raises Refused if the host does not report it."""
    before = time.time()
    answer = host.get_fact(Probe, _LOOK)
    after = time.time()
    if not answer.green:
        raise Refused(host.name, f"does not report its time ({answer.lines})", "run `date` there")
    return judge(before, float(answer.lines[0]), after, answer.lines[1:])


def judge(before: float, there: float, after: float, synchronised: list[str]) -> list[Finding]:
    """`there` is the host's time at some moment between two times of this machine."""
    remedy = "sudo timedatectl set-ntp true, then check that its servers answer"
    found = []
    if off := max(before - TOLERANCE_SECONDS - there, there - after - TOLERANCE_SECONDS, 0.0):
        off += TOLERANCE_SECONDS
        found.append(Finding("clock", "time", f"is {off:.0f} seconds off this machine's clock", remedy))
    if synchronised == ["no"]:
        found.append(Finding("clock", "synchronisation", "nothing synchronises the clock", remedy))
    return found
