"""The output of `leadgen dev`: its steps while it starts, then where everything is."""

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from rich.console import Console
from rich.markup import escape

EXAMPLE: Final = {
    "contact": {
        "full_name": "Maria Lopez",
        "email": "maria.lopez@example.com",
        "preferred_contact_method": "email",
    },
    "request": {
        "service_type": "event_security",
        "timeline": {"mode": "within_a_month"},
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "notes": "A product launch for 200 guests, one evening.",
    },
}


class Screen:
    """Color and a spinner on a terminal, otherwise plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show that a step is running, then how long it took."""
        start = time.monotonic()
        with self._console.status(f"{escape(name)} …"):
            yield
        seconds = time.monotonic() - start
        self._console.print(f"[green]✓[/] {escape(name)} [dim]({seconds:.1f} s)[/]")

    def close(self) -> None:
        """Show nothing from now on: what is written to a terminal that is gone is an error."""
        self._console.quiet = True

    def note(self, text: str) -> None:
        self._console.print(f"  {escape(text)}")

    def welcome(self, address: str, key: str, folder: Path) -> None:
        """Show where everything is; the command is printed unwrapped, ready to paste."""
        rows = {
            "Form": f"{address}/",
            "API": f"{address}/lead/docs",
            "Keys": f"{folder}/dev.key, and site.key for flat bodies, as the company's own site sends them",
            "Data": f"{folder}  (kept for the next run)",
            "Logs": f"{folder}/log/*.log",
            "Shell": f". {shlex.quote(str(folder / 'environment'))}  (then e.g. `{_leadgen()} jobs list`)",
            "Stop": "Ctrl-C",
        }
        self._console.print("\n[bold]The lead intake is up.[/]\n")
        for name, text in rows.items():
            self._console.print(f"  [dim]{name:<7}[/] {escape(text)}")
        self._console.print("\n[bold]Send a lead:[/]\n")
        self._console.print(escape(example_command(address, key)))
        self._console.print()


def _leadgen() -> str:
    """The command beside this Python, as the shell of a user who has no environment activated needs it."""
    command = Path(sys.executable).with_name("leadgen")
    here = Path.cwd()
    return shlex.quote(str(command.relative_to(here) if command.is_relative_to(here) else command))


def example_command(address: str, key: str) -> str:
    """A curl command that gets a 202, and the same 202 when it is sent again."""
    return " \\\n  ".join(
        [
            f"curl -i {address}/lead/intake",
            f"-H 'X-API-Key: {key}'",
            f"-H 'Idempotency-Key: {uuid4()}'",
            "-H 'Content-Type: application/json'",
            f"-d '{json.dumps(EXAMPLE)}'",
        ]
    )
