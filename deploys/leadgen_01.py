"""LEADGEN_01: the first migration, `app.leads` and the table of versions.

Purpose: Leads get their table in the database.

Leaves: The migration `20260126_01_wave1_leads`: `app.leads` and the table of versions.

Verify: The version was applied with the text that this release ships, and `app.leads` belongs to the owner role.
"""

from deploys.kit.operations import gate, image
from deploys.kit.run import page
from deploys.services.leadgen import LEADGEN, leadgen, migrations
from deploys.services.postgres import POSTGRES, database

VERSION = "20260126_01_wave1_leads"

# What
this = page.begin("LEADGEN_01")

# Pins
built = leadgen.image_at(this, LEADGEN.pin(this.release).ref)
postgres = image.of(this, "postgres", POSTGRES.pin(this.release))
wanted = migrations.up_to(built, VERSION)

# Preconditions
gate.wait(this, "the image was built on this host from the pin", built.check_before("deploys/plat_04.py"))

# Backup
migrations.backup_before(this, postgres.tag, wanted)

# Operations
migrations.applied(this, built, wanted)

# Verify
gate.wait(
    this,
    "app.leads exists and belongs to the owner role",
    database.expect(
        "SELECT tableowner FROM pg_tables WHERE (schemaname, tablename) = ('app', 'leads')",
        "motorcade_owner",
        "motorcade",
    ),
)

# Record
page.passed(this)
