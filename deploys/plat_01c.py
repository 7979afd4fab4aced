"""PLAT_01C: security updates of the host, installed each night, with nothing restarted.

Purpose: Known holes in the host's own packages are closed within a day, and a service restarts only when a person
or a page restarts it.

Leaves: `unattended-upgrades` for security updates of Debian only, without what our pages pin (Podman and what it
calls, nginx, pgBackRest, psql); `/usr/sbin/policy-rc.d`, by which such an update restarts nothing; `host-updates`,
which says what waits, and its timer.

Verify: apt has read one origin and every package that is held, the gate refuses a restart during such an update
and no other, and the timers run.

Differs: There updates of the host are by hand.
"""

from deploys.kit.operations import backup, gate, hostfiles, package
from deploys.kit.run import page
from deploys.services.platform import updates

# What
this = page.begin("PLAT_01C")

# Pins: none; the program is the distribution's own, in whatever version it has.

# Preconditions: apt; another distribution is on record with a warning.
has_apt = updates.by_apt(this)
files = updates.files(this) if has_apt else []

# Backup
backup.files(this, files)

# Operations
if has_apt:
    package.any_version(this, "unattended-upgrades", probe=updates.INSTALLED)
    hostfiles.directories(this, updates.directories())
    hostfiles.place(this, files, "what is installed by itself")
    updates.running(this)

# Verify
if has_apt:
    gate.wait(this, "apt has read what is installed by itself", updates.READ)
    gate.wait(this, "an update by night restarts nothing", updates.GATED)

# Record
page.passed(this)
