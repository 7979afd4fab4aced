"""PLAT_03: the database, its schema, and its roles with SCRAM passwords and only the rights that they need.

Purpose: Each program connects with its own role, which has the rights it needs and no more.

Leaves: The database `motorcade`, the schema `app`, the roles `motorcade_owner`, `motorcade_api`,
`motorcade_app` and `motorcade_ro`, and their passwords as Podman secrets.

Verify: Over the network and with its password, each role can do its work and is refused everything else.
"""

from pathlib import Path

from deploys.kit import secrets
from deploys.kit.operations import gate, image
from deploys.kit.operations.hostfiles import render
from deploys.kit.run import page
from deploys.services.backup import state as backup_state
from deploys.services.postgres import POSTGRES, database

ROLES = ("owner", "api", "app", "ro")

# What
this = page.begin("PLAT_03")

# Pins
pin = POSTGRES.pin(this.release)
postgres = image.of(this, "postgres", pin)

# Preconditions
verifiers = database.verifiers(this, {f"motorcade_{role}": f"postgres-{role}" for role in ROLES})
describe = render("postgres/roles-describe.sql")
expected = render("postgres/roles-expected.txt", **database.fingerprints(verifiers))
apply = Path("leadgen/store/roles.sql").read_text() + render("postgres/roles-apply.sql", **verifiers)

# Backup
backup_state.warn(this)
database.backup_before(this, postgres.tag, describe=describe, expected=expected)

# Operations
secrets.deliver(this, [f"postgres-{role}" for role in ROLES])
database.exists(this, "motorcade")
database.state(this, "roles and rights", describe=describe, expected=expected, apply=apply)

# Verify
gate.once(
    this,
    "each role can do its work and no more",
    render("postgres/check-roles.sh", image=postgres.tag, user=database.USER),
    seconds=120,
)

# Record
page.passed(this)
