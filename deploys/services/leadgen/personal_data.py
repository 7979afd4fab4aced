"""Personal data on a host: the operator's program for one person, and the timer that removes what is too old."""

from typing import TYPE_CHECKING, Final

from deploys.kit.operations.hostfiles import HostFile, render
from deploys.services.backup import pgbackrest
from deploys.services.leadgen import Intake

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

RETAIN: Final = "motorcade-leadgen-retain.service"
NIGHTLY: Final = "motorcade-leadgen-retain.timer"
RETAINED: Final = (
    f"systemctl start {RETAIN} || {{ journalctl --unit {RETAIN} --lines 20 --no-pager --output cat; false; }}"
)
# The migration that brings the table of erasures: a restored database may be older.
ERASURES: Final = "20261127_01_personal_data"


def files(page: "Page") -> list[HostFile]:
    """The program and the units."""
    program = render("leadgen/person", page=page.id, spool=pgbackrest.SPOOL)
    months = page.settings.of(Intake).leadgen_retention_months
    return [
        HostFile(f"{pgbackrest.PROGRAMS}/person", program, "755"),
        *(
            HostFile(
                f"/etc/systemd/system/{unit}", render(f"leadgen/{unit}", page=page.id, retention_months=months)
            )
            for unit in (RETAIN, NIGHTLY)
        ),
    ]
