"""File systems that fill up, by bytes or by files, before anything on them fails."""

from typing import Final

from pyinfra.api.host import Host

from deploys.inspect.finding import Finding
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe

_LOOK: Final = (
    "for path in / /srv/motorcade /var/lib/containers /var/log; do"
    ' [ ! -d "$path" ] || df --output=pcent,ipcent,target "$path" | tail -n 1; done | sort -u'
)


def look(host: Host, most_percent: int) -> list[Finding]:
    """Raises Refused where the host does not tell."""
    answer = host.get_fact(Probe, _LOOK)
    if not answer.green or not answer.lines:
        raise Refused(host.name, f"does not tell how full it is ({answer.lines})", "look at `df -h` there")
    found = []
    for bytes_, files, target in (line.split(maxsplit=2) for line in answer.lines):
        for what, used in (("bytes", bytes_), ("inodes", files)):
            percent = used.removesuffix("%")
            # A file system without a fixed number of files shows a dash.
            if percent.isdecimal() and int(percent) > most_percent:
                told = f"{percent} % of its {what} are in use, and {most_percent} are the most (disk_percent_max)"
                grew = "sudo du -x -d 3" + (" --inodes" if what == "inodes" else "")
                found.append(Finding("disk", target, told, f"take away what grew: {grew} {target} | sort -n"))
    return found
