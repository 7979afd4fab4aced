"""PLAT_08C: Redis runs and answers its users only; it is not enabled at boot yet.

Purpose: Redis first starts behind a gate with a time limit, while an operator watches.

Leaves: `motorcade-redis`, running with the settings on the host; not at boot yet.

Verify: It answers PONG with the operator's password only, lets the doorbell and the worker ring but not wipe it,
runs the pinned version, and evicts nothing.

Differs: The gate is part of the page and has a time limit; there is no readiness service that could hang.
"""

from deploys.kit.operations import gate, image
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.redis import REDIS

ASK = "timeout 10 podman exec motorcade-redis"

# What
this = page.begin("PLAT_08C")

# Pins
pin = REDIS.pin(this.release)
redis = image.of(this, "redis", pin)

# Preconditions
gate.wait(this, "the image was built on this host from the pin", redis.check_before("deploys/plat_08b.py"))

# Backup: nothing is replaced; the data of Redis may be lost at any time.

# Operations
quadlet.running(this, "motorcade-redis", redis.tag)

# Verify
gate.wait(this, "Redis answers the operator", f'[ "$({ASK} redis-ask PING)" = PONG ]', seconds=30, service="redis")
gate.wait(this, "Redis refuses a client without a password", f"{ASK} redis-cli PING | grep -q NOAUTH")
gate.wait(
    this,
    "the doorbell and the worker may ring, and not wipe it",
    f'may="{ASK} redis-ask ACL DRYRUN"; for user in bell worker; do'
    " $may $user RPUSH rq:queue:intake x | grep -qx OK || exit 1;"
    " $may $user FLUSHALL | grep -q 'has no permissions' || exit 1; done",
)
gate.wait(
    this, "it is the pinned version", f"{ASK} redis-ask INFO server | grep -q '^redis_version:{pin.version}'"
)
gate.wait(this, "it evicts nothing", f"{ASK} redis-ask INFO memory | grep -q '^maxmemory_policy:noeviction'")

# Record
page.passed(this)
