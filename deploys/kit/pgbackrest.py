"""Backups and WAL in the store: where things lie, their programs and units, and what the page asks of them."""

from typing import TYPE_CHECKING, Any, Final

from deploys.kit import units as systemd
from deploys.kit.hostfiles import HostFile, render

if TYPE_CHECKING:
    from deploys.kit.page import Page

SETTINGS: Final = "/etc/motorcade/backup"
PROGRAMS: Final = "/usr/local/libexec/motorcade"
STATE: Final = "/var/lib/motorcade-backup"  # beside the kit's own folder, which is for root only
SPOOL: Final = "/srv/motorcade/spool/wal"
SHIP: Final = "motorcade-wal-ship.service"
# Settings and secrets for the stanza; what lies in /etc/pgbackrest is not ours.
PGBACKREST: Final = (
    f"pgbackrest --config={SETTINGS}/pgbackrest.conf --config-include-path={SETTINGS}/conf.d --stanza=motorcade"
)
PSQL_PROGRAM: Final = "/usr/lib/postgresql/17/bin/psql"
PSQL: Final = (
    f"{PSQL_PROGRAM} --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1"
    " --host=/var/lib/postgresql/socket --username=postgres --dbname=motorcade"
)
SHIPS: Final = f"systemctl is-active --quiet {SHIP} && grep -q '\"ok\": true' {STATE}/ship.json"
GOOD: Final = f"grep '\"ok\": true' {STATE}/backup.json"
WATCHED: Final = ("motorcade-heartbeat.timer", "motorcade-backup.timer", "motorcade-backup.path")
_BACKUP_SECONDS: Final = 4 * 3600
_PROGRAM_FILES: Final = ("state", "wal-ship", "stanza", "backup", "manifest", "hashes.sql", "heartbeat")


def programs(**values: object) -> list[HostFile]:
    return [HostFile(f"{PROGRAMS}/{file}", render(f"backup/{file}", **values), "755") for file in _PROGRAM_FILES]


def units(**values: object) -> list[HostFile]:
    """Services by one hardened template, each with the roads that it needs; their timers, and a path."""
    oneshot: dict[str, Any] = {"type": "oneshot", "seconds": 30, "volume": True, "network": True}
    services: dict[str, dict[str, Any]] = {
        "wal-ship": {
            "type": "exec",
            "volume": False,
            "network": True,
            "description": "bring WAL from the spool to the store",
        },
        "backup": {**oneshot, "seconds": _BACKUP_SECONDS, "description": "a base backup and its manifest"},
        "backup-stanza": {**oneshot, "seconds": 120, "description": "make the cluster known to the store"},
        "heartbeat": {**oneshot, "network": False, "description": "a heartbeat in the database"},
    }
    made = [
        _unit(
            f"motorcade-{name}.service",
            "program.service",
            **values,
            **service,
            exec=f"{PROGRAMS}/{name.removeprefix('backup-')}",
        )
        for name, service in services.items()
    ]
    return [*made, *(_unit(name, name, **values) for name in WATCHED)]


def stanza(page: "Page", store: str) -> None:
    """The store knows this cluster; one that holds another's backups is refused in words."""
    probe = f'grep -q \'"ok": true, "store": "{store}"\' {STATE}/stanza.json'
    why = f"sed 's/.*\"reason\": //' {STATE}/stanza.json"
    systemd.done(page, "motorcade-backup-stanza.service", probe=probe, seconds=150, why=why)


def started(page: "Page") -> None:
    """Shipper, timers and path run; the shipper with its program as it lies there."""
    systemd.running(page, SHIP, reads=f"{PROGRAMS}/wal-ship /etc/systemd/system/{SHIP}")
    for unit in WATCHED:
        systemd.running(page, unit)


def taken(page: "Page", store: str) -> None:
    """There is a good base backup in this store; the first one is taken now."""
    probe = f'grep \'"ok": true\' {STATE}/backup.json | grep -q \'"store": "{store}"\''
    why = f"sed 's/.*\"reason\": //' {STATE}/backup.json"
    systemd.done(page, "motorcade-backup.service", probe=probe, seconds=_BACKUP_SECONDS, why=why)


def _unit(name: str, template: str, **values: object) -> HostFile:
    return HostFile(f"/etc/systemd/system/{name}", render(f"backup/{template}", **values))
