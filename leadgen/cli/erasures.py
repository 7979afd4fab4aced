"""`leadgen erasures`: the tombstones of erased persons, and erasing them again in a restored database."""

from collections.abc import Sequence
from pathlib import Path

import click

from leadgen.cli.operator import by
from leadgen.cli.person import database, erasure_key, identify, print_counts
from leadgen.cli.table import print_table
from leadgen.domain.erasure import NotATombstone, Tombstone
from leadgen.errors import LeadgenError
from leadgen.store import erasures as store


@click.group()
def erasures() -> None:
    """List, load and replay the tombstones of erased persons; they contain no personal data."""


@erasures.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for `leadgen erasures load`.")
def list_erasures(as_json: bool) -> None:
    """List the tombstones in the order of the erasures."""
    with database() as connection:
        tombstones = store.list_tombstones(connection)
    if as_json:
        for tombstone in tombstones:
            click.echo(tombstone.to_line())
        return
    print_table(
        ("erasure", "kind", "erased", "key", "rows"),
        (
            (
                str(tombstone.erasure_id),
                tombstone.kind,
                tombstone.erased_at.isoformat(sep=" ", timespec="seconds"),
                tombstone.key_id,
                str(sum(tombstone.counts.values())),
            )
            for tombstone in tombstones
        ),
    )


@erasures.command("load")
@click.argument(
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="What `leadgen erasures list --json` printed; - reads standard input.",
)
def load_erasures(file: Path) -> None:
    """Add the tombstones of another database to this one; those that it has are left as they are."""
    with click.open_file(str(file), encoding="utf-8") as lines:
        tombstones = [_parse(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    with database() as connection, connection.transaction():
        added = store.add_tombstones(connection, tombstones)
    click.echo(f"{added} added, {len(tombstones) - added} known")


@erasures.command("replay")
@by
def replay_erasures(by: str) -> None:
    """Erase again what the tombstones say: after a restore, before the services start.

    Rows that a person sent after the erase stay. A second run finds nothing. Needs LEADGEN_ERASURE_KEY. Exit code
    1 if a tombstone is of another key; those of this one are replayed first.
    """
    key = erasure_key()
    with database() as connection:
        tombstones = store.list_tombstones(connection)
        ours = [tombstone for tombstone in tombstones if tombstone.key_id == key.key_id]
        counts = store.replay(connection, ours, identify, key, actor=by)
    click.echo(f"{len(ours)} tombstones replayed")
    print_counts(counts)
    _refuse_others(tombstones, ours)


def _parse(number: int, line: str) -> Tombstone:
    try:
        return Tombstone.from_line(line)
    except NotATombstone as error:
        raise LeadgenError(
            f"line {number}",
            str(error),
            "take the file as `leadgen erasures list --json` printed it; nothing was loaded",
        ) from None


def _refuse_others(tombstones: Sequence[Tombstone], ours: Sequence[Tombstone]) -> None:
    if others := len(tombstones) - len(ours):
        raise LeadgenError(
            "erasures replay",
            f"{others} tombstones are of another key, so what they stand for may be in this database",
            "run this again with the key that they were made with",
        )
