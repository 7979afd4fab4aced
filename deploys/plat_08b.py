"""PLAT_08B: Redis's image, passwords, volume, settings, users and unit on the host; nothing is started.

Purpose: Everything Redis needs is on the host and checked before anything starts.

Leaves: The image, the password of each user as a Podman secret, the volume, `/etc/motorcade/redis`, the folder
of the socket and the unit `motorcade-redis`; it starts nothing.

Verify: The image labels match the pin, and systemd has loaded the unit.
"""

from pathlib import Path
from typing import Any

from deploys.kit import secrets
from deploys.kit.operations import backup, gate, hostfiles, image
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.redis import REDIS, SECRETS, SOCKETS, Redis

USER = "10002"  # fixed in containers/redis, so that the volume's owner is the same on every host

# What
this = page.begin("PLAT_08B")
settings = this.settings.of(Redis)

# Pins
pin = REDIS.pin(this.release)
redis = image.of(this, "redis", pin)

# Preconditions
values: dict[str, Any] = {
    "page": this.id,
    "image": redis.tag,
    "user": USER,
    "sockets": SOCKETS,
    "ciphers": {secret.name: secrets.fingerprint(this.settings, secret.name) for secret in SECRETS},
    "maxmemory_mb": settings.redis_maxmemory_mb,
    "memory_max_mb": settings.redis_memory_max_mb,
}
users = Path("leadgen/jobs/redis_users.conf").read_text().replace("\\\n", "")
configuration = [
    HostFile("/etc/motorcade/redis/redis.conf", render("redis/redis.conf", **values), "640", USER, USER),
    HostFile("/etc/motorcade/redis/users.conf", users, "640", USER, USER),
]
boot = HostFile(
    "/etc/tmpfiles.d/motorcade-redis-socket.conf", render("redis/motorcade-redis-socket.conf", **values)
)
unit = quadlet.unit("redis/motorcade-redis.container", configuration, **values)

# Backup
backup.files(this, [*configuration, boot, unit], restart="motorcade-redis.service")

# Operations
image.build(this, redis)
secrets.deliver(this, [secret.name for secret in SECRETS])
hostfiles.directories(
    this,
    [
        HostDirectory("/etc/motorcade/redis"),
        HostDirectory("/srv/motorcade/volumes/redis", mode="700", owner=USER, group=USER),
        HostDirectory("/var/log/motorcade/redis", mode="750"),
        HostDirectory("/etc/tmpfiles.d"),
        HostDirectory("/run/motorcade"),
        HostDirectory(SOCKETS, owner=USER, group=USER),
    ],
)
hostfiles.place(this, [boot], "folder of the socket at boot")
hostfiles.place(this, configuration, "settings of Redis")
quadlet.install(this, "motorcade-redis", [unit])

# Verify
gate.wait(this, "image labels are the pin", redis.check())
gate.wait(this, "unit is loaded", '[ "$(systemctl show -P LoadState motorcade-redis.service)" = loaded ]')

# Record
page.passed(this)
