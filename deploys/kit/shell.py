"""Commands that end by themselves on the host: pyinfra's own bound leaves the remote process running."""

from shlex import quote
from typing import Final

from pyinfra.api.command import StringCommand

SPARE_SECONDS: Final = 30  # how much later the operator's side gives up, so that the host's own words arrive


def bounded(script: str, seconds: int, stdin: str = "") -> StringCommand:
    """A script that ends at its first failure, and after `seconds` even if nobody listens any more."""
    command = f"timeout {seconds} sh -euc {quote(script)}"
    return StringCommand(command, _stdin=stdin) if stdin else StringCommand(command)
