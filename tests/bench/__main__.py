"""`python -m tests.bench`: measure the rows of the speed table, and write down what came out."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from leadgen.errors import LeadgenError
from tests.bench import machine
from tests.bench.context import Context
from tests.bench.figures import Figure
from tests.bench.stack import Stack

# In the order of the table; each a module in rows/ with `measure(context)`.
ROWS = ("accept", "fastapi", "floor", "latency", "redis", "load")
QUICK = ("accept",)


@click.command(help=__doc__)
@click.option("--rows", "names", help="Only these, with commas between.")
@click.option("--rounds", default=5, show_default=True, help="Repetitions of each measurement.")
@click.option("--seconds", default=5, show_default=True, help="How long one sample takes.")
@click.option("--quick", is_flag=True, help="Short samples of what needs no peers; under a minute.")
@click.option("--against", type=click.Path(path_type=Path, exists=True), help="Another checkout, beside this one.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write every sample.")
def bench(  # noqa: PLR0913 - one for each option
    names: str | None, rounds: int, seconds: int, *, quick: bool, against: Path | None, file: Path | None
) -> None:
    chosen = names.split(",") if names else QUICK if quick else ROWS
    with Stack() as stack:
        told = machine.facts(stack.folder)
        context = Context(stack, rounds, seconds, quick, against.resolve() if against else None)
        figures = [figure for name in chosen for figure in measure(name, context)]
    if file:
        file.write_text(json.dumps(report(told, figures), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measure(name: str, context: Context) -> list[Figure]:
    figures: list[Figure] = import_module(f"tests.bench.rows.{name}").measure(context)
    for figure in figures:
        show(figure)
    return figures


def show(figure: Figure) -> None:
    goal = f"   goal {figure.goal}" if figure.goal else ""
    click.echo(f"{figure.title}: {figure.value}{goal}")
    for name, part in figure.parts.items():
        click.echo(f"    {name}: {part}")


def report(machine_facts: dict[str, str], figures: list[Figure]) -> dict[str, Any]:
    return {"machine": machine_facts, "figures": [figure.document() for figure in figures]}


if __name__ == "__main__":
    try:
        bench()
    except LeadgenError as error:
        sys.exit(str(error))
