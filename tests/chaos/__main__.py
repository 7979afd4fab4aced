"""`python -m tests.chaos`: a campaign of faults against the whole intake, and what came of it."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.campaign import Campaign, Orders
from tests.chaos.faults import KINDS
from tests.chaos.stack import Stack
from tests.chaos.table import show


@click.command(help=__doc__)
@click.option("--seed", type=int, help="what to repeat; a new one is drawn without it")
@click.option("--requests", default=10_000, show_default=True, help="how many to send at least")
@click.option("--faults", default=50, show_default=True, help="how many to inject")
@click.option("--minutes", default=0.0, help="inject faults for so long, however many that makes")
@click.option("--rate", default=80.0, show_default=True, help="requests a second")
@click.option("--only", multiple=True, type=click.Choice(list(KINDS)), help="faults of this kind alone")
def chaos(
    seed: int | None, requests: int, faults: int, minutes: float, rate: float, only: tuple[str, ...]
) -> None:
    orders = Orders(secrets.randbelow(10**6) if seed is None else seed, requests, faults, minutes, rate, only)
    folder = Path(tempfile.mkdtemp(prefix="leadgen-chaos-"))
    folder.chmod(0o711)  # as root, PostgreSQL's user has to reach its data
    click.echo(f"seed {orders.seed}, in {folder}")
    with Stack(folder / "system") as stack:
        outcome = Campaign(stack, folder, orders, click.echo).run()
    for line in show(outcome):
        click.echo(line)
    if outcome.red:
        click.echo(f"RED: repeat it with SEED={orders.seed}; what was written is in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


chaos()
