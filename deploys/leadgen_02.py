"""LEADGEN_02: API, worker and sweeper roll to a release, or back to an older one, without a refused request."""

from deploys.kit import gate, image, leadgen, migrations, page, release, secrets, steps

# What
this = page.begin("LEADGEN_02")

# Pins
ref = release.ref(this)
built = leadgen.image_at(this, ref)
postgres = image.of(this, "postgres", this.release.postgres)
shipped = migrations.shipped(built)

# Preconditions
release.announce(this, built, ref)
release.may_follow(this, built)

# Backup
migrations.backup_before(this, postgres.tag, shipped)

# Operations
secrets.deliver(this, [leadgen.DATABASE, leadgen.REDIS])
image.build(this, built)
migrations.applied(this, built, shipped)
release.canary(this, built)
release.roll(this, built)
release.prune(this)

# Verify
gate.wait(this, "image labels are the pin", built.check())
gate.wait(this, "each service runs the image that was recorded", release.runs(built))
gate.wait(this, "the API is ready to take a lead", leadgen.ready(), seconds=30, service="leadgen-api")

# Record
steps.passed(this)
