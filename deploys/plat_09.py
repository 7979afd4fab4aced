"""PLAT_09: a check of the host every minute, and messages to people about what it finds.

Purpose: A person hears within a minute when something fails.

Leaves: The programs `alerts-check` and `alerts-notify` with their timer, a drop-in that starts a check at once if
a unit of ours or nginx fails, and the secrets of the channels that are configured: webhook, e-mail, ntfy, and the
address of a service that raises the alarm when the host goes silent. What the check has measured in up to three
days is in `/var/lib/motorcade-alerts/samples`.

Verify: The check has run within its minutes, and every channel has taken a test alert.

Differs: There PLAT_09 is only the heading above PLAT_09A and PLAT_09B.
"""

from deploys.kit.operations import backup, gate, hostfiles, units
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.run import page
from deploys.services.alerts import alerts

# What
this = page.begin("PLAT_09")

# Pins: none; the page installs no program.

# Preconditions
used = alerts.channels(this.settings)
values = alerts.values(this)
user = HostFile(f"/etc/sysusers.d/{alerts.USER}.conf", render(f"alerts/{alerts.USER}.conf", **values))
files = [*alerts.programs(**values), *alerts.units(**values), *alerts.drop_ins(**values)]
alerts.warn(this, used)
if "smtp" in used:
    gate.wait(this, "curl can send mail", alerts.SENDS_MAIL, seconds=1)

# Backup: of the files without a secret; the others are in the vault.
backup.files(this, [user, *files])

# Operations
hostfiles.directories(this, [HostDirectory("/etc/sysusers.d")])
hostfiles.place(this, [user], "user")
units.user(this, alerts.USER)
hostfiles.directories(this, alerts.directories(files))
alerts.place_secrets(this)
hostfiles.place(this, files, "programs, units and drop-ins")
alerts.running(this)

# Verify
alerts.proved(this)

# Record
page.passed(this)
