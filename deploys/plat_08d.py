"""PLAT_08D: Redis joins the boot, and a timer brings a dead or hung one back within a bound."""

from deploys.kit import backup, gate, hostfiles, page, quadlet, steps, units
from deploys.kit.hostfiles import HostFile, render

TIMER = "motorcade-redis-healthcheck.timer"
DROP_IN = "/etc/containers/systemd/motorcade-redis.container.d/20-boot.conf"

# What
this = page.begin("PLAT_08D")

# Pins: none; the page brings no program of its own.

# Preconditions
boot = HostFile(DROP_IN, render("redis/20-boot.conf", page=this.id))
health = [
    HostFile(f"/etc/systemd/system/{file}", render(f"redis/{file}", page=this.id))
    for file in ("motorcade-redis-healthcheck.service", TIMER)
]

# Backup
backup.files(this, [boot, *health])

# Operations
quadlet.install(this, "motorcade-redis", [boot])
hostfiles.place(this, health, "health timer of Redis")
units.enabled(this, TIMER)
units.running(this, TIMER)

# Verify
gate.wait(
    this,
    "Redis joins the boot",
    "systemctl list-dependencies --plain motorcade.target | grep -qw motorcade-redis.service",
)
gate.wait(this, "Redis is well", "timeout 20 podman healthcheck run motorcade-redis")
gate.once(this, "a killed Redis is back within 30 seconds", render("redis/check-healing.sh"), seconds=60)

# Record
steps.passed(this)
