"""LEADGEN_07B: one synthetic lead all the way into `app.leads`, equal to what was sent.

Purpose: The company finds exactly what a client sent, down to the last field.

Leaves: Nothing: its synthetic lead is removed again.

Verify: One marked lead is answered 202, `app.leads` has one row more, its newest time has moved, and its jsonb
equals what was sent.

Differs: It only verifies. The company's row also fixed how JSON is written, which is tested code here, and ran
before LEADGEN_07C.
"""

from deploys.kit import secrets
from deploys.kit.operations import gate
from deploys.kit.run import page
from deploys.services.leadgen import LEADGEN, api_keys, leadgen, synthetic

# What
this = page.begin("LEADGEN_07B")

# Pins
this.uses("release", LEADGEN.pin(this.release).ref)

# Preconditions
gate.wait(this, "the API is ready to accept a lead", leadgen.ready(), seconds=30, service="leadgen-api")

# Backup: nothing is replaced; the lead that is sent is removed again.

# Operations
secrets.deliver(this, [api_keys.PROBE])

# Verify
synthetic.check(this, "a lead arrives as it was sent", "persistence", seconds=90)

# Record
page.passed(this)
