"""The order of running: every page of the runbook, what it needs first, and on which hosts it runs.

What a page is for, what it leaves and how it proves it is in the page's own docstring.
"""

from collections.abc import Collection, Iterator
from typing import Final

from deploys.kit.errors import Refused
from deploys.kit.plan import planned
from deploys.kit.plan.entry import GROUPS, NAMED, Entry

ALL: Final = GROUPS
DATABASE: Final = ("database",)
APP: Final = ("app",)
EDGE: Final = ("edge",)

# Pages that are ready. The order of this tuple, not the numbers, is the order of running.
ORDER: Final[tuple[Entry, ...]] = (
    Entry("PLAT_01", "Podman", (), ALL, "4"),
    Entry("PLAT_02A", "Folders, network and target", ("PLAT_01",), ALL, "5"),
    Entry("PLAT_02B", "PostgreSQL, not started", ("PLAT_02A",), DATABASE, "6"),
    Entry("PLAT_02C", "PostgreSQL is up", ("PLAT_02B",), DATABASE, "7"),
    Entry("PLAT_03", "Schema and roles", ("PLAT_02C",), DATABASE, "8"),
    Entry("PLAT_04A", "PostgreSQL joins the boot", ("PLAT_03",), DATABASE, "9", locked=True),
    Entry("PLAT_08", "Backups", ("PLAT_04A",), DATABASE, "14"),
    Entry("PLAT_08B", "Redis, not started", ("PLAT_02A",), APP, "15"),
    Entry("PLAT_08C", "Redis is up", ("PLAT_08B",), APP, "16"),
    Entry("PLAT_08D", "Redis heals itself", ("PLAT_08C",), APP, "17"),
    Entry("PLAT_04", "LeadGen API", ("PLAT_04A", "PLAT_08D"), APP, "10"),
    Entry("LEADGEN_01", "Leads", ("PLAT_04",), DATABASE, "18"),
    Entry("LEADGEN_03", "Write path", ("LEADGEN_01",), DATABASE, "20"),
    Entry("LEADGEN_07C", "Worker and sweeper", ("LEADGEN_03",), APP, "25"),
    Entry("LEADGEN_02", "Release", ("LEADGEN_07C",), APP, "19"),
    Entry("LEADGEN_04", "Hardening", ("LEADGEN_02",), APP, "21"),
    Entry("LEADGEN_06", "API keys", ("LEADGEN_03",), APP, "23"),
    Entry("LEADGEN_07B", "Persistence check", ("LEADGEN_07C",), APP, "24"),
    Entry("PLAT_05", "TLS edge", ("PLAT_02A",), EDGE, "11", frozen=True),
    Entry("PLAT_06A", "Redirect to HTTPS", ("PLAT_05",), EDGE, NAMED, frozen=True),
    Entry("PLAT_07", "Routes", ("PLAT_05", "PLAT_04"), EDGE, "13", frozen=True),
    # Not frozen: the site's key rotates, and its files are its own.
    Entry("PLAT_07A", "Browser route", ("PLAT_07", "LEADGEN_06"), EDGE),
    Entry("LEADGEN_05", "End-to-end check", ("LEADGEN_07B", "PLAT_07"), APP, "22"),
    Entry("PLAT_01C", "Security updates of the host", ("PLAT_01",), ALL),
    # Last, as it judges what all others leave.
    Entry("PLAT_09", "Alerts", ("PLAT_08", "LEADGEN_04", "PLAT_01C"), ALL),
)

# Pages that are run when they are wanted, and never as part of the whole host.
TOOLS: Final[tuple[Entry, ...]] = (
    # No page of the edge: one may be red because maintenance is on, and this is what ends it.
    Entry("MAINTENANCE", "Maintenance", ("PLAT_02A",), EDGE, data="state=on"),
    # Not PLAT_08: on a new host it refuses until this has brought the database back.
    Entry("RESTORE", "Restore", ("PLAT_02B",), DATABASE),
)

# Rows of the company's runbook that are not pages: number -> what does their work.
WITHOUT_PAGE: Final = {
    3: "Checkpoint and log: every run logs itself, and `python -m deploys.checkpoint` keeps a green page."
}


def ready(names: Collection[str]) -> Iterator[Entry]:
    """In order of running, the pages for a host of these groups of the inventory."""
    return (entry for entry in ORDER if entry.runs_on(names))


def prerequisites(entry: Entry, names: Collection[str]) -> Iterator[Entry]:
    """Pages that have to pass first on a host of these groups.

    A page of other groups leaves nothing here, but what it stands on may: its own prerequisites take its place.
    """
    found: dict[str, Entry] = {}
    for needed in map(find, entry.requires):
        own = [needed] if needed.runs_on(names) else prerequisites(needed, names)
        found |= {each.id: each for each in own}
    yield from found.values()


def has(page_id: str) -> bool:
    """Whether the page is ready."""
    return any(entry.id == page_id for entry in (*ORDER, *TOOLS))


def find(page_id: str) -> Entry:
    """A page that is ready. Raises Refused for one that is planned, or that the runbook does not know."""
    for entry in (*ORDER, *TOOLS):
        if entry.id == page_id:
            return entry
    if any(entry.id == page_id for pages in planned.systems().values() for entry in pages):
        raise Refused("runbook", f"{page_id} is planned, not built yet", "docs/RUNBOOK.md says what it will leave")
    raise Refused(
        "runbook",
        f"it has no page {page_id}",
        "docs/RUNBOOK.md lists them, and a new one starts in deploys/kit/plan/runbook.py",
    )
