"""`leadgen migrate`: bring the database to this release's schema."""

from typing import cast

import click

from leadgen.config import load
from leadgen.store import migrations


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be applied.")
@click.option("--to", metavar="VERSION", help="Stop after this version; the default is the newest.")
@click.option(
    "--list", "only_list", is_flag=True, help="Only list the migrations of this release, each with its stage."
)
def migrate(dry_run: bool, to: str | None, only_list: bool) -> None:
    """Apply the pending migrations, each in one transaction; a second run changes nothing.

    Needs LEADGEN_OWNER_DATABASE_URL: the application's role cannot change the schema. With --list it needs no
    database.
    """
    if only_list:
        for migration in migrations.shipped():
            click.echo(f"{migration.stage} {migration.version}")
        return
    url = cast("str", load("owner_database_url").owner_database_url)  # load raises without it
    applied = migrations.migrate(url, to=to, dry_run=dry_run, report=click.echo)
    click.echo(f"{len(applied)} {'pending' if dry_run else 'applied'}")
