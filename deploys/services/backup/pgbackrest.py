"""Backups and WAL in the store: their paths, programs and units, and the checks of the page."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.operations import units as systemd
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run.steps import Step, Steps
from deploys.kit.shell import SPARE_SECONDS
from deploys.services.postgres import MAJOR

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

SETTINGS: Final = "/etc/motorcade/backup"
PROGRAMS: Final = "/usr/local/libexec/motorcade"
STATE: Final = "/var/lib/motorcade-backup"  # not in the kit's own folder, which is for root only
SCRATCH: Final = "/srv/motorcade/scratch"  # where backups are restored to
SPOOL: Final = "/srv/motorcade/spool/wal"
DRILL: Final = "motorcade-drill.service"
DUMPS: Final = "motorcade-dumps.service"
SHIP: Final = "motorcade-wal-ship.service"
# Settings and secrets for the stanza; /etc/pgbackrest is not ours.
PGBACKREST: Final = (
    f"pgbackrest --config={SETTINGS}/pgbackrest.conf --config-include-path={SETTINGS}/conf.d --stanza=motorcade"
)
PSQL_PROGRAM: Final = f"/usr/lib/postgresql/{MAJOR}/bin/psql"
PSQL: Final = (
    f"{PSQL_PROGRAM} --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1"
    " --host=/var/lib/postgresql/socket --username=postgres --dbname=motorcade"
)
SHIPS: Final = f"systemctl is-active --quiet {SHIP} && grep -q '\"ok\": true' {STATE}/ship.json"
GOOD: Final = f"grep '\"ok\": true' {STATE}/backup.json"
WATCHED: Final = (
    "motorcade-heartbeat.timer",
    "motorcade-backup.timer",
    "motorcade-backup.path",
    "motorcade-drill.timer",
    "motorcade-dumps.timer",
)
_REASON: Final = r's/.*"reason": "\([^"]*\)".*/\1/'  # of a state, for people
PROVED: Final = f"systemctl start {DRILL} || {{ sed '{_REASON}' {STATE}/drill.json; false; }}"
PRUNED: Final = f"systemctl start {DUMPS} || {{ sed '{_REASON}' {STATE}/dumps.json; false; }}"
DRILL_SECONDS: Final = 6 * 3600
_BACKUP_SECONDS: Final = 4 * 3600
_PROGRAM_FILES: Final = (
    *("state", "wal-ship", "stanza", "backup", "manifest", "hashes.sql", "heartbeat", "dumps"),
    *("restore", "drill", "recovery", "choose-backup", "wal-chain"),
)


def programs(**values: object) -> list[HostFile]:
    return [HostFile(f"{PROGRAMS}/{file}", render(f"backup/{file}", **values), "755") for file in _PROGRAM_FILES]


def units(**values: object) -> list[HostFile]:
    """Services from one hardened template, each with the access that it needs; their timers, and a path unit."""
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
    return [*made, *(_unit(name, name, **values) for name in (DRILL, DUMPS, *WATCHED))]


def stanza(page: "Page", store: str) -> None:
    """The store knows this cluster; a store with another cluster's backups is refused with a message."""
    probe = f'grep -q \'"ok": true, "store": "{store}"\' {STATE}/stanza.json'
    why = f"sed '{_REASON}' {STATE}/stanza.json"
    systemd.done(page, "motorcade-backup-stanza.service", probe=probe, seconds=150, why=why)


def started(page: "Page") -> None:
    """Shipper, timers and path run; the shipper with its current program."""
    systemd.running(page, SHIP, reads=f"{PROGRAMS}/wal-ship /etc/systemd/system/{SHIP}")
    for unit in WATCHED:
        systemd.running(page, unit)


def taken(page: "Page", store: str) -> None:
    """This store has a good base backup; the first one is taken now."""
    probe = f'grep \'"ok": true\' {STATE}/backup.json | grep -q \'"store": "{store}"\''
    why = f"sed '{_REASON}' {STATE}/backup.json"
    systemd.done(page, "motorcade-backup.service", probe=probe, seconds=_BACKUP_SECONDS, why=why)


def renew(page: "Page") -> None:
    """A base backup of the live database, if PLAT_08 has passed."""
    _renew(page=page, **page.op("a new base backup", _BACKUP_SECONDS + SPARE_SECONDS))


@operation()
def _renew(page: "Page") -> Generator[StringCommand]:
    if not host.get_fact(Steps).get("PLAT_08", Step("PLAT_08")).passed:
        host.noop(f"{page.id}: deploys/plat_08.py takes the first base backup")
        return
    why = f"sed 's/.*\"reason\": //' {STATE}/backup.json"
    yield StringCommand(
        f"timeout {_BACKUP_SECONDS} systemctl start motorcade-backup.service || {{ {why}; false; }}"
    )


def _unit(name: str, template: str, **values: object) -> HostFile:
    return HostFile(f"/etc/systemd/system/{name}", render(f"backup/{template}", **values))
