"""What a lab host leaves on the machine that carries it."""

from pathlib import Path

from tests.lab.command import run
from tests.lab.host import Host
from tests.lab.volume import DISKS


def traces(host: Host) -> list[str]:
    """All that is left of a host on this machine."""
    number = host.network.guest.removeprefix("mlab-")
    rules = run("iptables-save").splitlines()
    groups = Path("/sys/fs/cgroup").glob(f"*{host.name}*"), Path("/sys/fs/cgroup").glob(f"*/*{host.name}*")
    state = [path for path in Path("/run/systemd/nspawn").rglob("*") if host.network.guest in path.name]
    processes = [line for line in run("ps", "-eo", "pid,args").splitlines() if f"/{host.name}/" in line]
    return [
        *processes,
        *(rule for rule in rules if f"motorcade-lab-{number}" in rule or f"10.78.{int(number)}." in rule),
        *(str(path) for group in groups for path in group),
        *map(str, state),
        *(["interface"] if host.network.exists else []),
        *(str(path) for path in (host.directory, host.line, DISKS / host.name) if path.exists()),
    ]
