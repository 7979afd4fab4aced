"""LEADGEN_06: the API keys file from the secret; a running API reloads it without refusing a request.

Purpose: A client gets a key, or loses one, without a refused request.

Leaves: `/etc/motorcade/leadgen/api-keys`, written from the secret; it holds digests only.

Verify: The API has read the file as it is; the probe's key works, and a key that was never issued is refused.
"""

from deploys.kit.operations import backup, gate
from deploys.kit.operations.hostfiles import render
from deploys.kit.run import page
from deploys.services.leadgen import ADDRESS, api_keys

# What
this = page.begin("LEADGEN_06")

# Pins: none; keys are secrets, and no release changes them.

# Preconditions
keys = api_keys.file(this)

# Backup
backup.files(this, [keys])

# Operations
api_keys.deliver(this, owned=True)

# Verify
gate.wait(
    this,
    "the probe's key works, and one that was never issued is refused",
    render("leadgen/check-keys.sh", address=ADDRESS, file=api_keys.FILE),
    seconds=15,
    service="leadgen-api",
)

# Record
page.passed(this)
