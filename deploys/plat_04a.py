"""PLAT_04A: PostgreSQL is enabled at boot, the read-only role reads over the network, and the page locks itself.

Purpose: The last proof before anything is built on the database; then the page locks itself.

Leaves: A drop-in that makes `motorcade.target` start PostgreSQL at boot.

Verify: The read-only role reads over the network and is refused a write; the target wants the service.
"""

from deploys.kit import secrets
from deploys.kit.operations import backup, gate, image
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.postgres import POSTGRES, database

# What
this = page.begin("PLAT_04A")

# Pins
pin = POSTGRES.pin(this.release)
postgres = image.of(this, "postgres", pin)

# Preconditions
secrets.deliver(this, ["postgres-ro"])

# Backup
DROP_IN = "/etc/containers/systemd/motorcade-postgres.container.d/20-boot.conf"
boot = HostFile(DROP_IN, render("postgres/20-boot.conf", page=this.id))
backup.files(this, [boot])

# Operations
quadlet.install(this, "motorcade-postgres", [boot])

# Verify
gate.wait(
    this,
    "PostgreSQL joins the boot",
    "systemctl list-dependencies --plain motorcade.target | grep -qw motorcade-postgres.service",
)
gate.once(
    this,
    "the read-only role reads and is refused a write",
    render("postgres/check-read-only.sh", image=postgres.tag, user=database.USER),
    seconds=60,
)

# Record
page.passed(this)
