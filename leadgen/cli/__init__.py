"""The `leadgen` command."""

import sys
from typing import Any

import click

from leadgen.cli.check import check
from leadgen.cli.dev import dev
from leadgen.cli.erasures import erasures
from leadgen.cli.jobs import jobs
from leadgen.cli.keys import keys
from leadgen.cli.migrate import migrate
from leadgen.cli.person import person
from leadgen.cli.retain import retain
from leadgen.cli.serve import serve
from leadgen.cli.sweep import sweep
from leadgen.cli.worker import worker
from leadgen.errors import LeadgenError


class _Group(click.Group):
    """Prints the message, not a traceback, for an error that an operator can fix."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except LeadgenError as error:
            click.echo(str(error), err=True)
            sys.exit(1)


@click.group(cls=_Group)
@click.version_option(package_name="motorcade")
def leadgen() -> None:
    """The lead intake: accept leads over HTTP, make each exactly one row in app.leads."""


for command in (check, dev, erasures, jobs, keys, migrate, person, retain, serve, sweep, worker):
    leadgen.add_command(command)
