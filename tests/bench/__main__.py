"""`python -m tests.bench`: measure the rows of the speed table, and write down what came out."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from leadgen.errors import LeadgenError
from tests.bench import machine, report
from tests.bench.context import Context
from tests.bench.errors import Missing
from tests.bench.figures import Figure
from tests.bench.stack import Stack

# In the order of the table; each a module in rows/ with `measure(context)`.
ROWS = ("accept", "fastapi", "floor", "latency", "redis", "quota", "load", "drain", "scale", "arrival", "memory")
QUICK = ("accept", "latency", "redis", "drain")


@click.command(help=__doc__)
@click.option("--rows", "names", help="Only these, with commas between.")
@click.option("--rounds", type=int, help="Repetitions of each measurement; 5, or 2 when it is to be quick.")
@click.option("--seconds", type=int, help="How long one sample takes; 5, or 1 when it is to be quick.")
@click.option("--quick", is_flag=True, help="What needs no peer, within a minute.")
@click.option("--against", type=click.Path(path_type=Path, exists=True), help="Another checkout, beside this one.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to keep every sample.")
def bench(  # noqa: PLR0913 - one for each option
    names: str | None,
    rounds: int | None,
    seconds: int | None,
    *,
    quick: bool,
    against: Path | None,
    file: Path | None,
) -> None:
    chosen = names.split(",") if names else QUICK if quick else ROWS
    with Stack() as stack:
        facts = machine.facts(stack.folder)
        context = Context(
            stack,
            rounds or (2 if quick else 5),
            seconds or (1 if quick else 5),
            quick,
            against.resolve() if against else None,
        )
        figures = [figure for name in chosen for figure in measure(name, context)]
    if file:
        report.keep(report.make(facts, figures), file)


def measure(name: str, context: Context) -> Iterator[Figure]:
    """A row's figures, each shown when it is there. Quick, a row that lacks a program is passed over."""
    try:
        figures: list[Figure] = import_module(f"tests.bench.rows.{name}").measure(context)
    except Missing as error:
        if not context.quick:
            raise
        click.echo(f"{name} is not measured: {error}")
        return
    for figure in figures:
        show(figure)
        yield figure


def show(figure: Figure) -> None:
    goal = f"   goal {figure.goal}" if figure.goal else ""
    click.echo(f"{figure.title}: {figure.value}{goal}")
    for name, part in figure.parts.items():
        click.echo(f"    {name}: {part}")


if __name__ == "__main__":
    try:
        bench()
    except LeadgenError as error:
        sys.exit(str(error))
