"""PLAT_02C: PostgreSQL runs and answers; it is not enabled at boot yet.

Purpose: PostgreSQL first starts while an operator watches, and only later at boot.

Leaves: `motorcade-postgres`, running with the settings on the host; not at boot yet.

Verify: It answers a query within a time limit, runs the pinned version, has data checksums on, and no setting
overrides those of the page.
"""

from deploys.kit.operations import gate, image
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.backup import state as backup_state
from deploys.services.postgres import POSTGRES, database

# What
this = page.begin("PLAT_02C")

# Pins
pin = POSTGRES.pin(this.release)
postgres = image.of(this, "postgres", pin)

# Preconditions
gate.wait(this, "the image was built on this host from the pin", postgres.check_before("deploys/plat_02b.py"))

# Backup: nothing is replaced; the first start creates the cluster, a later one leaves the data unchanged.

# Operations
backup_state.warn(this)
database.may_begin(this)
database.settings_of_the_page(this)
quadlet.running(this, "motorcade-postgres", postgres.tag, reads="/etc/motorcade/postgres")

# Verify
gate.wait(
    this,
    "PostgreSQL answers",
    f"podman exec {database.CONTAINER} pg_isready --quiet && {database.expect('SELECT 1', '1')}",
    seconds=60,
    service="postgres",
)
gate.wait(this, "data checksums are on", database.expect("SHOW data_checksums", "on"))
gate.wait(this, "the server is the pinned version", database.expect(database.VERSION, pin.version))
gate.wait(this, "no setting overrides the page's", database.expect(database.OVERRIDDEN, ""))
gate.wait(this, "it runs with the settings on the host", database.expect(database.PENDING, ""))

# Record
page.passed(this)
