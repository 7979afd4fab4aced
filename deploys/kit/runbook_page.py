"""Writes docs/RUNBOOK.md from the registry, so that the page people read is the order that the kit enforces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploys.kit import runbook
from deploys.kit.runbook import Entry

PAGE: Final = Path("docs/RUNBOOK.md")
RUN: Final = ".venv/bin/pyinfra inventories/prod.py"
INTRODUCTION: Final = f"""\
# Runbook

Written by `make runbook` from `deploys/kit/runbook.py`; a change belongs there.

The one order in which a host is built. A page is a program: it says what it is about to do, does it, proves it and
writes it down. A second run of the same page changes nothing.

    {RUN} deploys/plat_02b.py

Add `--dry` to see what it would do. [Deploy](runbooks/deploy.md) tells how to read what it says and what to do
when it stops, [five rules](policies/five-rules.md) what every page keeps to, and [resources](RESOURCES.md) where
everything lies.

All pages that are ready, in this order, one after the other:

    {RUN} deploys/platform.py

What a host has passed:

    .venv/bin/python -m deploys.status inventories/prod.py

What on a host is [no longer as they say](runbooks/drift.md):

    .venv/bin/python -m deploys.drift inventories/prod.py
"""
DONE: Final = """\
## When a page is done

It ends with OK, and not before all of this is true: no operation failed, every check of its Verify was green,
the restore line of whatever it changed was printed, the versions it left are those of `releases/`, and the run is
in the log of deploys. The host then has `/var/lib/motorcade/steps/<PAGE>.json`; only that file opens the way to
the pages that require it.

A page that was superseded is not in this list: [deprecation](policies/deprecation.md).
"""


def page() -> str:
    """The whole page."""
    ready = [entry for entry in runbook.ORDER if entry.status == "ready"]
    parts = [INTRODUCTION, "\n".join(order()), *map(section, ready), DONE]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def order() -> Iterator[str]:
    """The table of all pages; those that are ready lead to their sections."""
    yield "## Order\n"
    yield "| | page | what | requires | status |"
    yield "|---|---|---|---|---|"
    for number, entry in enumerate(runbook.ORDER, start=1):
        told = entry.title if entry.status == "ready" else f"{entry.title}. {entry.purpose}"
        required = ", ".join(entry.requires) or "nothing"
        yield f"| {number} | {named(entry)} | {told} | {required} | {', '.join(state(entry))} |"


def named(entry: Entry) -> str:
    return f"[{entry.id}](#{entry.id.lower()})" if entry.status == "ready" else entry.id


def state(entry: Entry) -> Iterator[str]:
    yield entry.status
    if entry.locked:
        yield "locked once passed"
    if entry.frozen:
        yield "frozen"


def section(entry: Entry) -> str:
    """One page that is ready, as the operator needs it."""
    required = ", ".join(f"[{page_id}](#{page_id.lower()})" for page_id in entry.requires) or "nothing"
    lines = [
        f"## {entry.id}\n",
        f"**{entry.title}.** {entry.purpose}\n",
        f"    {RUN} {entry.file}\n",
        f"- Requires: {required}",
        f"- Leaves: {entry.leaves}",
        f"- Verify: {entry.verify}",
    ]
    if entry.locked:
        lines.append("- Locked once it has passed: [how to unlock it](runbooks/unlock-a-page.md).")
    if entry.frozen:
        lines.append("- Frozen: [what that means](policies/nginx-freeze.md).")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
