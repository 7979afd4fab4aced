"""Restores from the store: run by the host's own program, whose output the operator sees.

Persons who were erased stay erased: the program replays their erasures in the restored database, with the image of
the intake.
"""

from collections.abc import Generator
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, Final, NamedTuple

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.operations import backup
from deploys.kit.shell import SPARE_SECONDS
from deploys.services.backup import pgbackrest
from deploys.services.postgres import MAJOR, database

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

PROGRAM: Final = f"{pgbackrest.PROGRAMS}/restore"
_SECONDS: Final = 24 * 3600
UNREAD: Final = "unread"  # --data erasures: the operator accepts that they are not replayed
_REPLAYED: Final = f'sed -n \'s/.*"erasures": "\\([^"]*\\)".*/\\1/p\' {pgbackrest.STATE}/restore.json'


class Erasures(NamedTuple):
    """What replays them: the image of the intake, and the migration that brings their table."""

    image: str
    version: str

    @property
    def environ(self) -> str:
        return f"INTAKE_IMAGE={quote(self.image)} ERASURES_VERSION={quote(self.version)}"


def moment(given: str | None) -> str:
    """A time with its zone, as 2026-11-21T18:30:00Z, or empty for none. Raises Refused for anything else."""
    if given is None:
        return ""
    try:
        zoned = datetime.fromisoformat(given).tzinfo is not None
    except ValueError:
        zoned = False
    if not zoned:
        raise Refused("--data at", f"{given!r} is not a time with a zone", "write it as 2026-11-21T18:30:00Z")
    return given


def into_scratch(page: "Page", at: str, erasures: Erasures) -> None:
    """The database as it was then, in a container beside the live one."""
    words = f"{PROGRAM} scratch {quote(at)}"
    _restore(
        page=page,
        words=f"env {erasures.environ} {words}",
        aside="",
        **page.op("restore into scratch", _SECONDS),
    )
    _replayed(page=page, **page.op("erasures on record", 30))


def over_live(page: "Page", at: str, erasures: Erasures | None) -> None:
    """The same in place of the live one, which is moved aside; the command that brings it back is recorded.

    Without `erasures`, persons who were erased since then can be back.
    """
    aside = f"{backup.DIRECTORY}/{page.run.run_id}/{page.id}"
    environ = erasures.environ if erasures else f"ERASURES={UNREAD}"
    _restore(
        page=page,
        words=f"env {environ} {PROGRAM} live {aside} {quote(at)}",
        aside=aside,
        **page.op("restore over the live database", _SECONDS),
    )
    _replayed(page=page, **page.op("erasures on record", 30))


@operation()
def _replayed(page: "Page") -> Generator[StringCommand]:
    """The counts go on the record of the run."""
    said = " ".join(host.get_fact(Probe, _REPLAYED).lines)
    page.run.note(page.id, {"erasures": said})
    host.noop(f"{page.id}: {said}")
    yield from ()


@operation()
def _restore(page: "Page", words: str, aside: str) -> Generator[StringCommand]:
    page.may_change("the database")
    if aside:
        page.run.note_backup(f"{aside}/{MAJOR}", _way_back(aside))
    # It takes minutes or hours, and the operator should see progress.
    host.state.print_output = True
    yield StringCommand(f"timeout {_SECONDS - SPARE_SECONDS} {words}")
    host.state.print_output = False


def _way_back(aside: str) -> str:
    """Shell: makes the previous database live again; does nothing if it was never moved."""
    live, old = database.CLUSTER, f"{aside}/{MAJOR}"
    return (
        f"sudo sh -c '[ -d {old} ] && systemctl stop motorcade-postgres && mv {live} {aside}/restored"
        f" && mv {old} {live} && systemctl start motorcade-postgres motorcade.target'"
    )
