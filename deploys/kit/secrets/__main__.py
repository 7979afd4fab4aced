"""The operator's command for secrets: `python -m deploys.kit.secrets set|rotate|list|check prod [name]`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from deploys.kit.errors import Refused
from deploys.kit.plan import runbook
from deploys.kit.secrets import keys, value
from deploys.kit.secrets.manifest import Rule
from deploys.kit.secrets.vault import Vault

UNDECLARED = "remove it, or correct the declaration in deploys/services"

ENVIRONMENTS: Final = ("prod", "staging", "lab")


class _Group(click.Group):
    """Prints a message instead of a traceback for what an operator can fix."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except Refused as refused:
            click.echo(str(refused), err=True)
            sys.exit(1)


def _vault(function: Callable[..., None]) -> Callable[..., None]:
    directory = click.option(
        "--directory",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder of the secrets, if not group_data/secrets/ENVIRONMENT.",
    )
    return click.argument("environment", type=click.Choice(ENVIRONMENTS))(directory(function))


def _open(environment: str, directory: Path | None, identity: Path | None = None) -> Vault:
    return Vault(directory or Path("group_data/secrets") / environment, identity)


@click.group(cls=_Group)
def command() -> None:
    """Manage the secrets of an environment; no command shows a value."""


@command.command("set")
@_vault
@click.argument("name")
def set_value(environment: str, directory: Path | None, name: str) -> None:
    """Store a value from another party: prompted for without echo, or read from standard input."""
    vault = _open(environment, directory)
    # Refuse before a secret is typed.
    vault.rule(name)
    vault.readers()
    vault.store(name, _ask(name))
    _report(vault, environment, name)


@command.command()
@_vault
@click.argument("name")
def rotate(environment: str, directory: Path | None, name: str) -> None:
    """Replace a value with a new random one, which is never shown."""
    vault = _open(environment, directory)
    if made_by := vault.rule(name).made_by:
        raise Refused(name, f"is made by `{made_by}`, not at random", "make one and `set` it")
    vault.store(name, value.generate(vault.rule(name).minimum_length))
    _report(vault, environment, name)


@command.command("list")
@_vault
def list_secrets(environment: str, directory: Path | None) -> None:
    """List the secrets; decrypts nothing and needs no key."""
    vault = _open(environment, directory)
    rows = [("NAME", "PRESENT", "ROTATED ON", "CONSUMERS")]
    for name, rule in vault.rules().items():
        missing = "no, optional" if rule.optional else "no"
        present = "yes" if vault.file(name).is_file() else missing
        rows.append((name, present, rule.rotated_on, ", ".join(rule.consumers)))
    rows += [(name, "yes", "", "declared by no service") for name in vault.unlisted()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@command.command()
@_vault
@click.option(
    "--identity",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Your key; else ${keys.IDENTITY_VARIABLE}.",
)
def check(environment: str, directory: Path | None, identity: Path | None) -> None:
    """Try every secret as a page would; exits with 1 if one cannot be used."""
    vault = _open(environment, directory, identity)
    names = vault.needed()
    faults = vault.faults(names)
    faults += [Refused(str(vault.file(name)), "no service declares it", UNDECLARED) for name in vault.unlisted()]
    for fault in faults:
        click.echo(str(fault), err=True)
    vault.readers()
    if faults:
        sys.exit(1)
    click.echo(f"{vault.directory}: {len(names)} secrets, all usable")


def _ask(name: str) -> str:
    """Prompts twice at a terminal; otherwise reads all of standard input, without the final line break."""
    if sys.stdin.isatty():
        return str(click.prompt(f"New value of {name}", hide_input=True, confirmation_prompt=True))
    found = value.text(sys.stdin.buffer.read())
    if found is None:
        raise Refused(f"the new {name}", "is not UTF-8", "give another value; nothing was changed")
    return found.removesuffix("\n")


def delivery(environment: str, rule: Rule) -> str:
    """The command that brings a new value to the hosts: its pages in the order of the runbook.

    Without locked ones: they use the value, and another page delivers it.
    """
    files = [entry.file for entry in runbook.ORDER if entry.id in rule.consumers and not entry.locked]
    return " ".join([".venv/bin/pyinfra", f"inventories/{environment}.py", *files])


def _report(vault: Vault, environment: str, name: str) -> None:
    run = delivery(environment, vault.rule(name))
    click.echo(f"{vault.file(name)} is written; commit it with {vault.manifest}, then run:\n\n    {run}\n")


if __name__ == "__main__":
    command(prog_name="python -m deploys.kit.secrets")
