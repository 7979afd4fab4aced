"""Commands that end by themselves on the host; pyinfra's own timeout leaves the remote process running."""

from shlex import quote
from typing import Final

from pyinfra.api.command import StringCommand

SPARE_SECONDS: Final = 30  # how much later the operator's side times out, so that the host's own message arrives


def bounded(script: str, seconds: int, stdin: str = "") -> StringCommand:
    """A script that ends at its first failure, or after `seconds` even if the connection is gone."""
    command = f"timeout {seconds} sh -euc {quote(script)}"
    return StringCommand(command, _stdin=stdin) if stdin else StringCommand(command)
