"""Writes docs/RUNBOOK.md from the registry, so that the page people read is the order that the kit enforces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploys.kit.plan import planned, runbook
from deploys.kit.plan.entry import GROUPS, NAMED, OWN, Entry

PAGE: Final = Path("docs/RUNBOOK.md")
RUN: Final = ".venv/bin/pyinfra inventories/prod.py"
INTRODUCTION: Final = f"""\
# Runbook

Written by `make runbook` from the docstrings of the pages and from `runbook.py` and `planned.yaml` in
`deploys/kit/plan/`. Change those, not this file.

This is the order in which a host is built; [planned](#planned) pages are at the end. A page is a program: it says
what it will do, does it, verifies it and logs it. Running the same page again changes nothing.

    {RUN} deploys/plat_02b.py

Add `--dry` to see what it would do. [Deploy](runbooks/deploy.md) explains the output and what to do when a page
stops, [five rules](policies/five-rules.md) what every page guarantees, and [resources](RESOURCES.md) where to find
everything.

All ready pages, in this order, one after the other:

    {RUN} deploys/platform.py

What a host has passed:

    .venv/bin/python -m deploys.status inventories/prod.py

What on a host has [changed since](runbooks/drift.md):

    .venv/bin/python -m deploys.drift inventories/prod.py
"""
READY: Final = """\
## Ready

*Groups*: a page runs on hosts of its groups, which are `database`, `app` and `edge`. A host in `platform` of its
inventory is in all three and gets every page. A host in some of them gets their pages only, and a required page of
another group is not looked for there. Keep one host in `platform` for now: most pages still expect the database,
Redis and the intake on their own host.

*Row*: the number of the page in the company's runbook. Pages marked *named* are mentioned there without a number,
and pages marked *own* are our additions.
"""
DONE: Final = """\
## When a page is done

A page ends with OK only when all of this is true: no operation failed, every check of its Verify passed, the
restore line of everything it changed was printed, the versions it left are those in `releases/`, and the run is
in the deploy log. The host then has `/var/lib/motorcade/steps/<PAGE>.json`; only that file lets the pages that
require it run.

Superseded pages are not in this list: see [deprecation](policies/deprecation.md).
"""
TOOLS: Final = """\
## On demand

These pages run only when you name them. `platform.py` leaves them out.
"""
PLANNED: Final = """\
## Planned

Pages that are not built yet, by system, in the order in which they can be built.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, READY + "\n" + "\n".join(order()), *map(section, runbook.ORDER), DONE]
    parts += [TOOLS, *map(section, runbook.TOOLS), PLANNED]
    parts += ["\n".join(system(name, pages)) for name, pages in planned.systems().items()]
    parts.append("\n".join(without_page()))
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def order() -> Iterator[str]:
    """The table of pages that are ready; each leads to its section."""
    yield "| | page | what | requires | groups | row | |"
    yield "|---|---|---|---|---|---|---|"
    for number, entry in enumerate(runbook.ORDER, start=1):
        required = ", ".join(entry.requires) or "nothing"
        cells = (str(number), linked(entry.id), entry.title, required, groups(entry), entry.row, closed(entry))
        yield f"| {' | '.join(cells)} |"


def linked(page_id: str) -> str:
    """To its section, where it has one."""
    has_section = any(entry.id == page_id for entry in (*runbook.ORDER, *runbook.TOOLS))
    return f"[{page_id}](#{page_id.lower()})" if has_section else page_id


def groups(entry: Entry) -> str:
    return "all" if entry.groups == GROUPS else ", ".join(entry.groups)


def closed(entry: Entry) -> str:
    if entry.frozen:
        return "frozen"
    return "locked once passed" if entry.locked else ""


def section(entry: Entry) -> str:
    """One page that is ready, as the operator needs it."""
    text = entry.text
    lines = [
        f"### {entry.id}\n",
        f"**{entry.title}.** {text.purpose}\n",
        f"    {RUN} {entry.file}{entry.data and f' --data {entry.data}'}\n",
        f"- Requires: {', '.join(map(linked, entry.requires)) or 'nothing'}",
        f"- Runs on: {groups(entry)}",
        f"- Leaves: {text.leaves}",
        f"- Verify: {text.verify}",
    ]
    if entry.locked:
        lines.append("- Locked once it has passed: [how to unlock it](runbooks/unlock-a-page.md).")
    if entry.frozen:
        lines.append("- Frozen: [what that means](policies/nginx-freeze.md).")
    if text.differs:
        lines.append(f"- Differs from the company's runbook: {text.differs}")
    return "\n".join(lines)


def system(name: str, pages: tuple[Entry, ...]) -> Iterator[str]:
    """The planned pages of one system."""
    yield f"### {name}\n"
    yield "| page | purpose | will leave | requires | groups | row |"
    yield "|---|---|---|---|---|---|"
    for entry in pages:
        text = entry.text
        required = ", ".join(map(linked, entry.requires))
        cells = (f"**{entry.id}** {entry.title}", text.purpose, text.leaves, required, groups(entry), entry.row)
        yield f"| {' | '.join(cells)} |"
    different = [entry for entry in pages if entry.text.differs]
    if different:
        yield "\nDiffers from the company's runbook:\n"
        yield from (f"- {entry.id}: {entry.text.differs}" for entry in different)


def without_page() -> Iterator[str]:
    """How the company's rows and ours add up."""
    known = [*runbook.ORDER, *runbook.TOOLS, *(entry for pages in planned.systems().values() for entry in pages)]
    rows = [entry for entry in known if entry.row not in (OWN, NAMED)]
    built = [entry for entry in rows if entry.status == "ready"]
    yield "## The company's rows\n"
    yield (
        f"Of its {len(rows) + len(runbook.WITHOUT_PAGE)} rows {len(built)} are ready and {len(rows) - len(built)}"
        " are planned. These are not pages:\n"
    )
    yield from (f"- Row {row}. {what}" for row, what in runbook.WITHOUT_PAGE.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
