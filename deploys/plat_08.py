"""PLAT_08: encrypted base backups and WAL in S3-compatible storage, and a drill that restores them.

Purpose: The leads survive the loss of the host: encrypted base backups and WAL are stored outside it.

Leaves: pgBackRest, its settings and secrets, the schema `backup`, archiving switched on, and the units that ship
WAL, take base backups, run the restore drill, keep the heartbeat and remove old dumps.

Verify: WAL arrives in the store, the last base backup is good, and a drill restores it.

Differs: It runs before the intake, not after it, so that no lead is accepted without a backup.
"""

from typing import Any

from deploys.kit import secrets
from deploys.kit.operations import backup, gate, hostfiles, package, units
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.run import page
from deploys.services.backup import BACKUP, Backup, pgbackrest
from deploys.services.postgres import MAJOR, POSTGRES, database

USER = "motorcade-postgres"

# What
this = page.begin("PLAT_08")
settings = this.settings.of(Backup)

# Pins
pin = BACKUP.pin(this.release)
client = POSTGRES.pin(this.release)

# Preconditions
values: dict[str, Any] = {
    "page": this.id,
    "user": database.USER,
    "endpoint": settings.backup_endpoint,
    "region": settings.backup_region,
    "bucket": settings.backup_bucket,
    "prefix": settings.backup_prefix,
    "uri_style": settings.backup_uri_style,
    "ca_file": settings.backup_ca_file,
    "store": f"{settings.backup_endpoint}/{settings.backup_bucket}{settings.backup_prefix}",
    "time": settings.backup_time,
    "full_days": settings.backup_full_days,
    "retention_days": settings.backup_retention_days,
    "spool_cap_bytes": settings.backup_spool_mb * 1024 * 1024,
    "ship_seconds": 3,
    "major": MAJOR,
    "spool": pgbackrest.SPOOL,
    "state": pgbackrest.STATE,
    "programs": pgbackrest.PROGRAMS,
    "pgbackrest": pgbackrest.PGBACKREST,
    "psql": pgbackrest.PSQL,
    "drill_time": settings.backup_drill_time,
    "drill_seconds": pgbackrest.DRILL_SECONDS,
    "stale_hours": settings.backup_stale_hours,
    "rpo_limit_seconds": settings.backup_rpo_limit_seconds,
    "backups": backup.DIRECTORY,
    "dumps_days": settings.backup_dumps_days,
    "dumps_kept": settings.backup_dumps_kept,
}
user = HostFile(f"/etc/sysusers.d/{USER}.conf", render(f"backup/{USER}.conf", **values))
configuration = HostFile(f"{pgbackrest.SETTINGS}/pgbackrest.conf", render("backup/pgbackrest.conf", **values))
programs = pgbackrest.programs(**values)
unit = pgbackrest.units(**values)
switch = HostFile(f"{pgbackrest.SPOOL}/on", f"{values['spool_cap_bytes']}\n")

gate.once(
    this,
    "the disk has room for twice the spool",
    f'[ "$(df --output=avail --block-size=1M /srv/motorcade | tail -n 1)" -ge {2 * settings.backup_spool_mb} ] ||'
    " { echo 'lower backup_spool_mb in group_data, or free disk space'; false; }",
    seconds=20,
)

# Backup
backup.files(this, [user, configuration, *programs, *unit, switch])

# Operations
package.program(
    this, "pgbackrest", pin.version, probe=f"[ \"$(pgbackrest version)\" = 'pgBackRest {pin.version}' ]"
)
package.program(
    this,
    f"postgresql-client-{MAJOR}",
    client.version,
    probe=f"{pgbackrest.PSQL_PROGRAM} --version | grep -q '^psql (PostgreSQL) {client.version} '",
)
hostfiles.directories(this, [HostDirectory("/etc/sysusers.d")])
hostfiles.place(this, [user], "user")
units.user(this, USER)
hostfiles.directories(
    this,
    [
        HostDirectory(pgbackrest.SETTINGS),
        HostDirectory(f"{pgbackrest.SETTINGS}/conf.d", mode="750", group=USER),
        HostDirectory(pgbackrest.PROGRAMS.rpartition("/")[0]),
        HostDirectory(pgbackrest.PROGRAMS),
        HostDirectory(pgbackrest.STATE, owner=USER, group=USER),
        HostDirectory(pgbackrest.SCRATCH, mode="711"),
    ],
)
secrets.place(
    this,
    f"{pgbackrest.SETTINGS}/conf.d/secrets.conf",
    USER,
    "backup/secrets.conf",
    key_id="backup-s3-key-id",
    key="backup-s3-key",
    cipher="backup-cipher",
)
hostfiles.place(this, [configuration, *programs, *unit], "settings, programs and units")
database.state(
    this,
    "schema backup",
    describe=render("backup/schema-describe.sql"),
    expected=render("backup/schema-expected.txt"),
    apply=render("backup/schema-apply.sql"),
)
for each in unit:
    # A unit without [Install] is started by a timer or by hand.
    (units.enabled if "[Install]" in each.content else units.loaded)(this, each.path.rpartition("/")[2])
pgbackrest.stanza(this, values["store"])
hostfiles.place(this, [switch], "archiving is on")
pgbackrest.started(this)
pgbackrest.taken(this, values["store"])

# Verify
gate.wait(
    this,
    "the volume's owner has its name",
    f'[ "$(id -u {USER}) $(id -g {USER})" = "{database.USER} {database.USER}" ]',
)
gate.wait(this, "WAL reaches the store", pgbackrest.SHIPS, seconds=60)
gate.wait(this, "the last base backup is good", pgbackrest.GOOD)
gate.once(this, "old dumps are removed", pgbackrest.PRUNED, seconds=600)
gate.once(this, "a drill restores it", pgbackrest.PROVED, seconds=pgbackrest.DRILL_SECONDS)

# Record
page.passed(this)
