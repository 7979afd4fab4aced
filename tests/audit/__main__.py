"""Known advisories of what is locked: `python -m tests.audit` ends with 1 for one, and with 0 if it cannot ask."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from deploys.kit.errors import Refused
from tests.audit import accepted, audit

PROJECT = Path(__file__).parents[2]


@click.command("audit")
@click.argument("locks", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--python",
    type=click.Path(exists=True, path_type=Path),
    default=PROJECT / ".audit/bin/python",
    help="Has pip-audit.",
)
@click.option("--accepted", "file", type=click.Path(path_type=Path), default=accepted.FILE, help="Exceptions.")
@click.option("--service", default=audit.SERVICE, show_default=True, help="The database's address.")
@click.option("--seconds", default=120, show_default=True, help="It is not run if it takes longer.")
def main(locks: Sequence[Path], python: Path, file: Path, service: str, seconds: int) -> None:
    """Print each advisory, and then how much was audited; all locks, unless some are named."""
    chosen = locks or sorted((PROJECT / "requirements").glob("*.txt"))
    try:
        ignored = accepted.ids(file, datetime.now(UTC).date())
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    outcome = audit.run(python, chosen, ignored, service, seconds)
    if outcome.not_run:
        click.echo(f"audit: NOT RUN: {outcome.not_run}")
        return
    for fault in outcome.faults:
        click.echo(fault)
    click.echo(
        f"audit: {len(outcome.faults)} faults in {outcome.packages} packages of {len(chosen)} locks,"
        f" {len(ignored)} advisories accepted"
    )
    sys.exit(outcome.code)


if __name__ == "__main__":
    main()
