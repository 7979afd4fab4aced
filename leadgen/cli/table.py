"""Tables for people on a terminal, tab-separated lines for everything else."""

from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text, with headings only on a terminal."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        # Not markup: a reason may contain brackets.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
