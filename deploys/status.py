"""The state of a host: pages passed, at which release and when, files changed since, and units that failed.

Run from the repository root: `python -m deploys.status inventories/prod.py`, with `--json` for programs, or with
`--html FILE` for one page that shows all of this and the last day to anybody with a browser.
Exits with 0 when every ready page is green and its files are unchanged, every unit enabled at boot runs, none has
failed, no deploy is running and maintenance is off; with 1 otherwise.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_host
from rich.console import Console
from rich.table import Table

from deploys.inspect import connection, host_status, status_page
from deploys.inspect.host_status import Status
from deploys.inspect.status_page import Seen
from deploys.kit.errors import Refused
from deploys.services.alerts import samples

WIDTH = 160  # columns
WORDS = {"green": "green", "red": "red", "open": "yellow"}


@click.command()
@click.argument("inventory", type=click.Path(exists=True, dir_okay=False))
@click.option("--limit", help="One host of the inventory.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page for a browser to this file instead.",
)
def status(inventory: str, limit: str | None, page: Path | None, *, as_json: bool) -> None:
    """Print which pages a host has passed, and what has changed since."""
    try:
        names = [limit] if limit else connection.named(inventory)
        seen = [of_host(inventory, name, day=page is not None) for name in names]
        if page:
            status_page.write(page, status_page.render(inventory, seen, datetime.now(UTC)))
    except PyinfraError as error:
        raise click.ClickException(str(error)) from error
    found = [each.status for each in seen]
    if as_json:
        click.echo(json.dumps([asdict(status) for status in found], indent=2))
    elif not page:
        show(found)
    sys.exit(0 if found and all(status.good for status in found) else 1)


def of_host(inventory: str, name: str, *, day: bool) -> Seen:
    """One host at a time: an unreachable one does not hide the others. With its last day if that is asked for."""
    try:
        with connection.connected(inventory, name) as (host,), ctx_host.use(host):
            return Seen(host_status.look(host), samples.read(host) if day else None)
    except Refused:
        raise
    except PyinfraError:
        return Seen(host_status.unreachable(name), None)


def show(found: Sequence[Status]) -> None:
    """A table for people, followed by the other problems of each host."""
    # Run ids and paths must stay copyable, so a narrow screen wraps them instead of cutting them.
    console = Console(width=WIDTH, soft_wrap=True)
    table = Table("host", "page", "state", "release", "passed", "run", "drift", box=None)
    for status in found:
        for page in status.pages:
            word = f"[{WORDS[page.state]}]{page.state}[/]"
            drift = "\n".join(page.drift) or "none"
            table.add_row(status.host, page.page, word, page.release, page.passed, page.run, drift)
    console.print(table)
    for status in found:
        for news in status.news:
            console.print(f"{status.host}: {news}", markup=False)
        for trouble in status.troubles:
            console.print(trouble, style="red", markup=False)


if __name__ == "__main__":
    status()
