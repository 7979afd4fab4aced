"""`python -m tests.chaos`: a campaign of faults against the whole intake, and what came of it."""

import secrets
import sys
from typing import Any

import click

from leadgen.errors import LeadgenError
from tests.chaos import record
from tests.chaos.campaign import Orders, conduct
from tests.chaos.controls import CONTROLS, Control
from tests.chaos.faults import KINDS
from tests.chaos.table import show


@click.command(help=__doc__)
@click.option("--seed", type=int, help="what to repeat; without it one is drawn")
@click.option("--requests", default=10_000, show_default=True, help="how many to send at least")
@click.option("--faults", default=50, show_default=True, help="how many to inject")
@click.option("--minutes", default=0.0, help="inject faults for so long, however many that makes")
@click.option("--rate", default=80.0, show_default=True, help="requests a second")
@click.option("--only", multiple=True, type=click.Choice(list(KINDS)), help="faults of this kind alone")
@click.option(
    "--control", type=click.Choice(list(CONTROLS)), help="succeed if the checker finds what this one spoils"
)
@click.option("--record", "recorded", is_flag=True, help="add a row to docs/reference/proof.md")
def chaos(
    *,
    seed: int | None,
    control: str | None,
    recorded: bool,
    **orders: Any,  # noqa: ANN401 - click's own values
) -> None:
    seed = secrets.randbelow(10**6) if seed is None else seed
    try:
        if control:
            sys.exit(not _finds(CONTROLS[control], seed))
        commit = record.commit() if recorded else ""
        red = _run(Orders(seed=seed, **orders), commit)
    except LeadgenError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(red)


def _run(orders: Orders, commit: str) -> bool:
    """Whether anything was broken; with a commit the outcome goes into the page."""
    outcome = conduct(orders, click.echo)
    for line in show(outcome):
        click.echo(line)
    if commit:
        page = record.PAGE.read_text(encoding="utf-8")
        record.PAGE.write_text(record.append(page, record.entry_of(outcome, commit)), encoding="utf-8")
    return outcome.red


def _finds(control: Control, seed: int) -> bool:
    """Whether the checker finds the control's fault."""
    if reason := control.obstacle:
        raise LeadgenError("control", reason, "run it where that is so, or take another one")
    outcome = control.run(seed, click.echo)
    for line in show(outcome):
        click.echo(line)
    found = getattr(outcome.reckoning, control.finds)
    click.echo(f"{control.why}: the checker finds {len(found)} {control.finds}")
    return control.is_met(outcome)


if __name__ == "__main__":
    chaos()
