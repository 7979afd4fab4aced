"""LEADGEN_07B: one synthetic lead on its whole way into `app.leads`, equal to what was sent."""

from deploys.kit import api_keys, gate, leadgen, page, secrets, steps, synthetic

# What
this = page.begin("LEADGEN_07B")

# Pins
this.uses("release", this.release.leadgen.ref)

# Preconditions
gate.wait(this, "the API is ready to take a lead", leadgen.ready(), seconds=30, service="leadgen-api")

# Backup: nothing is replaced; the lead that is sent is taken away again.

# Operations
secrets.deliver(this, [api_keys.PROBE])

# Verify
synthetic.check(this, "a lead arrives as it was sent", "persistence", seconds=90)

# Record
steps.passed(this)
