"""PLAT_08D: Redis is enabled at boot, and a watch restarts it when it is dead or hung.

Purpose: A dead or hung Redis comes back without an operator; a broken one is given up and reported.

Leaves: `motorcade-redis-healthcheck.timer`, and the drop-in that enables Redis at boot.

Verify: The timer runs, its watch asks and gets an answer, and a killed Redis is back within 30 seconds.
"""

from deploys.kit.operations import backup, gate, watch
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.operations.watch import Question
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page

WATCH = "motorcade-redis-healthcheck"
DROP_IN = "/etc/containers/systemd/motorcade-redis.container.d/20-boot.conf"

# What
this = page.begin("PLAT_08D")

# Pins: none; the page installs no program.

# Preconditions
boot = HostFile(DROP_IN, render("redis/20-boot.conf", page=this.id))
# Redis refuses a client without the password; the refusal proves that it reads and answers.
question = Question(
    "/run/motorcade-redis/address", 6379, this.settings.core_subnet, request=r"PING\r\n", answer="-NOAUTH"
)
watched = watch.files(this, WATCH, "motorcade-redis.service", question)

# Backup
backup.files(this, [boot, *watched])

# Operations
quadlet.install(this, "motorcade-redis", [boot])
watch.keep(this, WATCH, watched)

# Verify
gate.wait(
    this,
    "Redis joins the boot",
    "systemctl list-dependencies --plain motorcade.target | grep -qw motorcade-redis.service",
)
gate.wait(
    this, "Redis is well", '[ "$(timeout 10 podman exec motorcade-redis redis-ask PING)" = PONG ]', seconds=30
)
gate.wait(this, "its watch agrees", watch.green(WATCH), seconds=30)
gate.once(this, "the watch gets an answer", f"systemctl start {WATCH}.service && {watch.green(WATCH)}", seconds=40)
gate.once(this, "a killed Redis is back within 30 seconds", render("redis/check-healing.sh"), seconds=60)

# Record
page.passed(this)
