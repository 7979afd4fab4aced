"""LEADGEN_07C: worker and sweeper; intakes become leads even if one of them or Redis is down.

Purpose: Intakes become leads even while the worker or Redis is down.

Leaves: The units `motorcade-leadgen-worker` and `motorcade-leadgen-sweeper`, running and at boot.

Verify: With the worker stopped, an intake is still answered 202; once it runs again, and with Redis stopped, the
queue drains.

Differs: The company's queue is PostgreSQL alone. Here Redis wakes the worker too, but holds nothing and is not
needed.
"""

from deploys.kit import secrets
from deploys.kit.operations import backup, gate, hostfiles
from deploys.kit.operations.hostfiles import HostDirectory
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.leadgen import LEADGEN, api_keys, leadgen, synthetic

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

# Backup
for service, unit in services.items():
    backup.files(this, [unit], restart=f"{service}.service")

# Operations
secrets.deliver(this, [leadgen.DATABASE, leadgen.REDIS, api_keys.PROBE])
hostfiles.directories(this, [HostDirectory(f"/var/log/motorcade/leadgen-{name}", mode="750") for name in NAMES])
for service, unit in services.items():
    quadlet.install(this, service, [unit])
    quadlet.running(this, service)

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
synthetic.check(this, "worker and sweeper each drain without the other", "draining", seconds=240)

# Record
page.passed(this)
