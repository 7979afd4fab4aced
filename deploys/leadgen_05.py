"""LEADGEN_05: LEADGEN_07B from outside: over HTTPS, through the edge, as a website sends a lead.

Purpose: The persistence check through the edge, as a client's website would send it.

Leaves: Nothing: its synthetic lead is removed again.

Verify: As LEADGEN_07B, over HTTPS; a failure shows diagnostics without personal data.

Differs: One page replaces the company's series of iterations. It repeats LEADGEN_07B through the edge, so it runs
last.
"""

from deploys.kit import secrets
from deploys.kit.operations import gate
from deploys.kit.run import page
from deploys.services.leadgen import LEADGEN, api_keys, leadgen, synthetic

# What
this = page.begin("LEADGEN_05")

# Pins
this.uses("release", LEADGEN.pin(this.release).ref)

# Preconditions
gate.wait(this, "the API is ready to accept a lead", leadgen.ready(), seconds=30, service="leadgen-api")

# Backup: nothing is replaced; the lead that is sent is removed again.

# Operations
secrets.deliver(this, [api_keys.PROBE])

# Verify
synthetic.check(this, "a lead arrives through the edge as it was sent", "persistence", seconds=90, edge=True)

# Record
page.passed(this)
