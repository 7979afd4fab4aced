"""File systems that are filling up, by bytes or by inodes, before anything on them fails."""

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
    """Raises Refused if the host does not report it."""
    answer = host.get_fact(Probe, _LOOK)
    if not answer.green or not answer.lines:
        raise Refused(host.name, f"does not report its disk usage ({answer.lines})", "run `df -h` there")
    found = []
    for bytes_, files, target in (line.split(maxsplit=2) for line in answer.lines):
        for what, used in (("bytes", bytes_), ("inodes", files)):
            percent = used.removesuffix("%")
            # A file system without a fixed number of files shows a dash.
            if percent.isdecimal() and int(percent) > most_percent:
                what_is_used = (
                    f"{percent} % of its {what} are in use; the limit is {most_percent} (disk_percent_max)"
                )
                grew = "sudo du -x -d 3" + (" --inodes" if what == "inodes" else "")
                found.append(Finding("disk", target, what_is_used, f"find what grew: {grew} {target} | sort -n"))
    return found
