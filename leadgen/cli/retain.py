"""`leadgen retain`: remove the leads that the company may no longer keep."""

import click

from leadgen.cli.operator import by
from leadgen.cli.person import database, erasure_key, identify, print_counts
from leadgen.config import load
from leadgen.store import personal_data


@click.command()
@by
def retain(by: str) -> None:
    """Remove leads and intakes older than LEADGEN_RETENTION_MONTHS, in batches; run it every night.

    A queued intake stays until it is a lead. Consents stay as evidence, without what names the person; for this it
    needs LEADGEN_ERASURE_KEY.
    """
    months, key = load().retention_months, erasure_key()
    with database() as connection:
        print_counts(personal_data.retain(connection, months, identify, key, actor=by))
