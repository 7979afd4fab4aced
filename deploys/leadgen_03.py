"""LEADGEN_03: the outbox, and the functions that remove leads; from here on, a 202 is a promise.

Purpose: From here on, a 202 is a promise: an intake is kept, exactly once.

Leaves: The migrations up to `20261127_02_api_role`: the outbox, its queue, the columns of contract v1, the
functions that remove synthetic leads, erase a person, and remove what has expired, and the rights of the API's
role.

Verify: A real intake makes one row in `app.intake_jobs`; the same Idempotency-Key makes no second one.

Differs: An intake goes to `app.intake_jobs` from the start; the company's row stored it in `app.leads` and brought
the outbox with LEADGEN_07C.
"""

from deploys.kit import secrets
from deploys.kit.operations import gate, image
from deploys.kit.run import page
from deploys.services.leadgen import LEADGEN, api_keys, leadgen, migrations, synthetic
from deploys.services.postgres import POSTGRES, database

VERSION = "20261127_02_api_role"

# What
this = page.begin("LEADGEN_03")

# Pins
built = leadgen.image_at(this, LEADGEN.pin(this.release).ref)
postgres = image.of(this, "postgres", POSTGRES.pin(this.release))
wanted = migrations.up_to(built, VERSION)

# Preconditions
gate.wait(this, "the image was built on this host from the pin", built.check_before("deploys/plat_04.py"))

# Backup
migrations.backup_before(this, postgres.tag, wanted)

# Operations
secrets.deliver(this, [api_keys.PROBE])
migrations.applied(this, built, wanted)

# Verify
gate.wait(
    this,
    "the outbox exists",
    database.expect("SELECT to_regclass('app.intake_jobs') IS NOT NULL", "t", "motorcade"),
)
gate.wait(this, "the API is ready to accept a lead", leadgen.ready(), seconds=30, service="leadgen-api")
synthetic.check(this, "an intake makes one row, and its key no second one", "write-path", seconds=120)

# Record
page.passed(this)
