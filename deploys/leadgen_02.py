"""LEADGEN_02: rolls API, worker and sweeper to a release, or back to an older one, without a refused request.

Purpose: The way to every later release of the intake, and back, without a refused request.

Leaves: The drop-in `50-release.conf` of API, worker and sweeper, which names the image that runs, the last five
images, and the rights, triggers and rules of the schema `app` as the release makes them.

Verify: A canary passes before the roll; after it, each container runs the image recorded by its build, and the
whole schema is as the release makes it. A red gate of the roll restores the previous image.

Differs: The company's row deployed the API, which PLAT_04 does here. This page rolls worker and sweeper as well,
so it runs after LEADGEN_07C.
"""

from deploys.kit import secrets
from deploys.kit.operations import gate, image
from deploys.kit.run import page
from deploys.services.leadgen import leadgen, migrations, release
from deploys.services.postgres import POSTGRES

# What
this = page.begin("LEADGEN_02")

# Pins
ref = release.ref(this)
built = leadgen.image_at(this, ref)
postgres = image.of(this, "postgres", POSTGRES.pin(this.release))
shipped = migrations.shipped(built)

# Preconditions
release.announce(this, built, ref)
release.may_follow(this, built)

# Backup
migrations.backup_before(this, postgres.tag, shipped)

# Operations
databases = dict.fromkeys(map(leadgen.database_secret, leadgen.SERVICES))
secrets.deliver(this, [*databases, *map(leadgen.redis_secret, leadgen.REDIS_USERS)])
image.build(this, built)
migrations.applied(this, built, shipped)
migrations.repaired(this, built)
release.canary(this, built)
release.roll(this, built)
release.prune(this)

# Verify
gate.wait(this, "image labels are the pin", built.check())
gate.wait(this, "each service runs the recorded image", release.runs(built))
gate.wait(this, "the API is ready to accept a lead", leadgen.ready(), seconds=30, service="leadgen-api")
migrations.whole(this, built)

# Record
page.passed(this)
