"""PLAT_04: the intake's image, its secrets, and its API behind a socket on loopback.

Purpose: The intake answers on this host, behind a socket that outlives its container.

Leaves: The intake's image, its secrets, the unit `motorcade-leadgen-api`, `motorcade-leadgen-api.socket`, where it
listens, and beside PostgreSQL's volume, if that is on this host, an empty directory by which the API sees the free
space.

Verify: `/lead/health` answers through the socket and names the release; nothing listens elsewhere; that directory
is on PostgreSQL's disk.

Differs: It runs after backups and Redis. The image is built from a pinned ref of this repository, not from a
working tree on the host, and the container is `motorcade-leadgen-api`, not `motorcade-lead-intake-api`.
"""

from deploys.kit import secrets
from deploys.kit.operations import backup, gate, hostfiles, image, units
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.leadgen import ADDRESS, LEADGEN, PORT, api_keys, leadgen

SOCKET = "motorcade-leadgen-api.socket"
HEALTH = f"curl --silent --show-error --fail --max-time 5 http://{ADDRESS}/lead/health"

# What
this = page.begin("PLAT_04")

# Pins
built = leadgen.image_at(this, LEADGEN.pin(this.release).ref)

# Preconditions
gate.wait(this, "curl is on the host", "command -v curl")
gate.wait(this, "PostgreSQL and Redis listen where the intake looks", leadgen.reachable())
gate.wait(this, "the API's role may store an intake", leadgen.may_store())
values = leadgen.values(this, "api", built)
disk = values["database_disk"]
unit = quadlet.unit("leadgen/motorcade-leadgen-api.container", **values)
socket = HostFile(f"/etc/systemd/system/{SOCKET}", render(f"leadgen/{SOCKET}", page=this.id, address=ADDRESS))

# Backup
backup.files(this, [unit, socket], restart="motorcade-leadgen-api.service")

# Operations
image.build(this, built)
secrets.deliver(this, [leadgen.database_secret("api"), leadgen.redis_secret("api")])
hostfiles.directories(
    this,
    [
        HostDirectory("/etc/motorcade/leadgen", mode="750", group=leadgen.USER),
        HostDirectory("/var/log/motorcade/leadgen-api", mode="750"),
        *([HostDirectory(disk, mode="700")] if disk else []),
    ],
)
api_keys.deliver(this, owned=False)
hostfiles.place(this, [socket], "socket of the API")
units.enabled(this, SOCKET)
quadlet.install(this, "motorcade-leadgen-api", [unit])
units.running(this, SOCKET)
quadlet.running(this, "motorcade-leadgen-api")

# Verify
gate.wait(this, "image labels are the pin", built.check())
if disk:
    gate.wait(this, "the free space that it sees is PostgreSQL's", leadgen.measures(disk))
gate.wait(
    this,
    "health answers through the socket",
    f"{HEALTH} | grep -q '\"release\"'",
    seconds=60,
    service="leadgen-api",
)
gate.wait(
    this,
    "nothing else listens on the port",
    f"[ \"$(ss -Hltn 'sport = :{PORT}' | awk '{{print $4}}')\" = {ADDRESS} ]",
)

# Record
page.passed(this)
