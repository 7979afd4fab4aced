"""PLAT_02A: folders, the network that containers share, and the target that starts every unit.

Purpose: One page creates what every service needs.

Leaves: `/etc/motorcade`, `/srv/motorcade/volumes`, `/srv/motorcade/backups`, `/var/log/motorcade`, the network
`motorcade-core`, and `motorcade.target`.

Verify: The network has the range that group_data sets, and the generator accepts every unit.
"""

from deploys.kit.operations import backup, gate, hostfiles, units
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page

# What
this = page.begin("PLAT_02A")

# Pins: none; nothing on this page has a version.

# Preconditions
subnet = this.settings.core_subnet

# Backup
target = HostFile("/etc/systemd/system/motorcade.target", render("platform/motorcade.target", page=this.id))
network = HostFile(
    "/etc/containers/systemd/motorcade-core.network",
    render("platform/motorcade-core.network", page=this.id, core_subnet=subnet),
)
backup.files(this, [target, network])

# Operations
hostfiles.directories(
    this,
    [
        HostDirectory("/etc/motorcade"),
        HostDirectory("/etc/containers/systemd"),
        HostDirectory("/srv/motorcade"),
        HostDirectory("/srv/motorcade/volumes"),
        HostDirectory("/srv/motorcade/backups", mode="700"),
        HostDirectory("/var/log/motorcade"),
    ],
)
hostfiles.place(this, [target], "motorcade.target")
quadlet.install(this, "motorcade-core", [network])
units.enabled(this, "motorcade.target")
there = f"[ \"$(podman network inspect motorcade-core --format '{{{{(index .Subnets 0).Subnet}}}}')\" = {subnet} ]"
units.done(this, "motorcade-core-network.service", probe=there)

# Verify
gate.wait(this, f"network motorcade-core is {subnet}", there)
gate.wait(this, "the generator accepts every unit", quadlet.DRY_RUN)

# Record
page.passed(this)
