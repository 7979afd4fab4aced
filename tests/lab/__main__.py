"""`python -m tests.lab`: bring disposable hosts up, go into them, take them away."""

import os
import sys

import click

from tests.lab.errors import LabError
from tests.lab.host import Host, every
from tests.lab.requirements import missing

FIRST = "motorcade-lab-01"


class _Name(click.ParamType[Host]):
    name = "host"

    def convert(self, value: str | Host, *_: object) -> Host:
        return value if isinstance(value, Host) else Host.named(value)


_host = click.option("--host", type=_Name(), default=FIRST, show_default=True, help="which one")


@click.group(help=__doc__)
def lab() -> None:
    if reason := missing():
        raise LabError("lab", reason, "use a Debian machine as root, with what README.md names")


@lab.command()
@_host
def up(host: Host) -> None:
    """Make a bare host, or boot the one that is there."""
    host.up()
    click.echo(f"{host.name} is up at {host.address}")


@lab.command()
@_host
@click.option("--all", "everyone", is_flag=True, help="every host of this checkout")
def down(host: Host, *, everyone: bool) -> None:
    """Leave nothing of it: no process, interface, firewall rule or folder."""
    for each in every() if everyone else [host]:
        each.down()
        click.echo(f"{each.name} is gone")


@lab.command()
@_host
def ssh(host: Host) -> None:
    """Open a shell on it, as its operator."""
    words = host.ssh_words()
    os.execvp(words[0], words)  # noqa: S606 - there is no shell between, as wanted


@lab.command(name="exec")
@_host
@click.argument("command")
def execute(host: Host, command: str) -> None:
    """Run a shell command on it as root."""
    done = host.root(command, check=False)
    click.echo(done.stdout, nl=False)
    click.echo(done.stderr, nl=False, err=True)
    sys.exit(done.returncode)


@lab.command()
@_host
def power_off(host: Host) -> None:
    """Cut its power."""
    host.power_off()
    click.echo(f"{host.name} is off")


@lab.command()
@_host
def boot(host: Host) -> None:
    """Switch it on again, with the disk as it was left."""
    host.up()
    click.echo(f"{host.name} is up at {host.address}")


@lab.command()
def status() -> None:
    """Show the hosts of this checkout."""
    for host in every():
        state = "half made" if not host.is_made else "up" if host.guest.runs else "off"
        click.echo(f"{host.name}  {host.address}  {state}")


if __name__ == "__main__":
    try:
        lab()
    except LabError as error:
        sys.exit(str(error))
