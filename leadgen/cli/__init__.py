"""The `leadgen` command."""

import sys
from importlib import import_module
from typing import Any, Final

import click

from leadgen.errors import LeadgenError

# Each is in the module of its name, which is imported when the command runs: a service that starts again waits for
# no library that only others need.
COMMANDS: Final = (
    *("check", "dev", "erasures", "jobs", "keys", "migrate", "person", "retain", "serve", "sweep", "worker"),
)


class _Group(click.Group):
    """Prints the message, not a traceback, for an error that an operator can fix."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - the same
        try:
            return super().invoke(ctx)
        except LeadgenError as error:
            click.echo(str(error), err=True)
            sys.exit(1)


@click.group(cls=_Group)
@click.version_option(package_name="motorcade")
def leadgen() -> None:
    """The lead intake: accept leads over HTTP, make each exactly one row in app.leads."""
