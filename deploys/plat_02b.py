"""PLAT_02B: PostgreSQL's image, volume, settings and unit on the host; nothing is started.

Purpose: Everything PostgreSQL needs is on the host and checked before anything starts.

Leaves: The image, the volume, `/etc/motorcade/postgres`, the folder of the socket and the unit
`motorcade-postgres`; it starts nothing.

Verify: The image labels match the pin, and systemd has loaded the unit.
"""

from typing import Any

from deploys.kit.operations import backup, gate, hostfiles, image
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.postgres import POSTGRES, Postgres, database

USER = str(database.USER)

# What
this = page.begin("PLAT_02B")
settings = this.settings.of(Postgres)

# Pins
pin = POSTGRES.pin(this.release)
postgres = image.of(this, "postgres", pin)

# Preconditions
values: dict[str, Any] = {
    "page": this.id,
    "image": postgres.tag,
    "user": USER,
    "sockets": database.SOCKETS,
    "core_subnet": this.settings.core_subnet,
    "max_connections": settings.postgres_max_connections,
    "shared_buffers_mb": settings.postgres_shared_buffers_mb,
    "memory_max_mb": settings.postgres_memory_max_mb,
    "cpu_percent": settings.postgres_cpu_percent,
}
configuration = [
    HostFile(f"/etc/motorcade/postgres/{file}", render(f"postgres/{file}", **values), "640", USER, USER)
    for file in ("postgresql.conf", "pg_hba.conf")
]
boot = HostFile(
    "/etc/tmpfiles.d/motorcade-postgres-socket.conf", render("postgres/motorcade-postgres-socket.conf", **values)
)
unit = quadlet.unit("postgres/motorcade-postgres.container", configuration, **values)

# Backup
backup.files(this, [*configuration, boot, unit], restart="motorcade-postgres.service")

# Operations
image.build(this, postgres)
hostfiles.directories(
    this,
    [
        HostDirectory("/etc/motorcade/postgres"),
        HostDirectory("/srv/motorcade/volumes/postgres", mode="700", owner=USER, group=USER),
        HostDirectory("/srv/motorcade/spool"),
        HostDirectory("/srv/motorcade/spool/wal", mode="700", owner=USER, group=USER),
        HostDirectory("/var/log/motorcade/postgres", mode="750"),
        HostDirectory("/etc/tmpfiles.d"),
        HostDirectory("/run/motorcade"),
        HostDirectory(database.SOCKETS, owner=USER, group=USER),
    ],
)
hostfiles.place(this, [boot], "folder of the socket at boot")
hostfiles.place(this, configuration, "settings of PostgreSQL")
quadlet.install(this, "motorcade-postgres", [unit])

# Verify
gate.wait(this, "image labels are the pin", postgres.check())
gate.wait(this, "unit is loaded", '[ "$(systemctl show -P LoadState motorcade-postgres.service)" = loaded ]')

# Record
page.passed(this)
