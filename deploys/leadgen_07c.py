"""LEADGEN_07C: worker and sweeper; intakes become leads even if one of them or Redis is down.

Purpose: Intakes become leads even while the worker or Redis is down.

Leaves: The units `motorcade-leadgen-worker` and `motorcade-leadgen-sweeper`, running and at boot; the program
`person`, which finds, exports and erases a person; and `motorcade-leadgen-retain.timer`, which removes old leads.

Verify: With the worker stopped, an intake is still answered 202; once it runs again, and with Redis stopped, the
queue drains. What is older than the retention time is removed.

Differs: The company's queue is PostgreSQL alone. Here Redis wakes the worker too, but holds nothing and is not
needed.
"""

from deploys.kit import secrets
from deploys.kit.operations import backup, gate, hostfiles, units
from deploys.kit.operations.hostfiles import HostDirectory
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.backup import pgbackrest
from deploys.services.leadgen import LEADGEN, api_keys, leadgen, personal_data, synthetic

NAMES = ("worker", "sweeper")

# What
this = page.begin("LEADGEN_07C")

# Pins
built = leadgen.image_at(this, LEADGEN.pin(this.release).ref)

# Preconditions
gate.wait(this, "the image was built on this host from the pin", built.check_before("deploys/plat_04.py"))
services = {
    leadgen.unit_of(name): quadlet.unit(
        f"leadgen/motorcade-leadgen-{name}.container", **leadgen.values(this, name, built)
    )
    for name in NAMES
}

personal = personal_data.files(this)

# Backup
backup.files(this, personal)
for service, unit in services.items():
    backup.files(this, [unit], restart=f"{service}.service")

# Operations
secrets.deliver(
    this, [leadgen.database_secret("worker"), leadgen.redis_secret("worker"), leadgen.ERASURE_KEY, api_keys.PROBE]
)
hostfiles.directories(
    this,
    [
        *(HostDirectory(f"/var/log/motorcade/leadgen-{name}", mode="750") for name in NAMES),
        HostDirectory(pgbackrest.PROGRAMS.rpartition("/")[0]),
        HostDirectory(pgbackrest.PROGRAMS),
    ],
)
for service, unit in services.items():
    quadlet.install(this, service, [unit])
    quadlet.running(this, service)
hostfiles.place(this, personal, "personal data: its program and units")
units.loaded(this, personal_data.RETAIN)
units.enabled(this, personal_data.NIGHTLY)
units.running(this, personal_data.NIGHTLY)

# Verify
gate.wait(
    this,
    "the sweeper sends its heartbeat to the database",
    leadgen.healthy("sweeper"),
    seconds=60,
    service="leadgen-sweeper",
)
gate.wait(
    this,
    "the worker sends its heartbeat to Redis",
    leadgen.healthy("worker"),
    seconds=60,
    service="leadgen-worker",
)
gate.once(this, "what is older than the retention time is removed", personal_data.RETAINED, seconds=3600)
synthetic.check(this, "worker and sweeper each drain without the other", "draining", seconds=240)

# Record
page.passed(this)
