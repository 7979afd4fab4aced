"""RESTORE: restores the database from the store, latest or at a given time, beside the live one or in its place.

Purpose: The database is restored from the store, in its latest state or at a given time.

Leaves: A copy in the container `motorcade-restore`; or, with `--data over=live`, the restored database in place of
the live one, which is moved to `/srv/motorcade/backups`. Persons who were erased stay erased in both.

Verify: Recovery has finished, erasures are replayed and every table is counted; with `over=live`, the intake is
ready and a new base backup is taken.
"""

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.operations import gate, image
from deploys.kit.run import page
from deploys.services.backup import pgbackrest, recovery
from deploys.services.backup.recovery import Erasures
from deploys.services.leadgen import LEADGEN, leadgen, personal_data

# What
this = page.begin("RESTORE")

# Pins: PLAT_08 installs pgBackRest.
built = leadgen.image_at(this, LEADGEN.pin(this.release).ref)
erasures = Erasures(built.tag, personal_data.ERASURES)

# Preconditions
at = recovery.moment(this.run.data("at"))
over, reason = this.run.data("over"), this.run.data("reason")
if over not in (None, "live"):
    raise Refused(
        "--data over",
        f"{over} is not a known value",
        "use --data over=live, or leave --data over out to restore into a copy beside the live database",
    )
if over and not (reason or "").strip():
    raise Refused("--data over", "replacing the live database needs a reason", "add --data reason='why'")
unread = this.run.data("erasures")
if unread not in (None, recovery.UNREAD) or (unread and not over):
    raise Refused(
        "--data erasures",
        f"{unread} is not a known value, or not here",
        f"leave it out; with over=live, {recovery.UNREAD} accepts that persons who were erased can be back",
    )
this.run.note(this.id, {"at": at or "the end", "over": over or "scratch", "reason": reason or ""})
gate.wait(
    this,
    "the programs of PLAT_08 are installed",
    f"[ -x {recovery.PROGRAM} ] || {{ echo 'run deploys/plat_08.py; if it is refused, continue here'; false; }}",
)

# Backup: the live database is moved aside, not overwritten; the command that brings it back is on record.

# Operations
if not unread:
    image.build(this, built)
    secrets.deliver(this, [leadgen.ERASURE_KEY])
if over:
    recovery.over_live(this, at, None if unread else erasures)
else:
    recovery.into_scratch(this, at, erasures)

# Verify
if over:
    gate.wait(
        this,
        "the intake, if installed, accepts leads",
        f"systemctl is-enabled --quiet {leadgen.unit_of('api')}.socket 2>/dev/null || exit 0; {leadgen.ready()}",
        seconds=60,
        service="leadgen-api",
    )
    pgbackrest.renew(this)

# Record
page.passed(this)
