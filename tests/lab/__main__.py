"""`python -m tests.lab`: bring disposable hosts up, go into them, take them away."""

import json
import os
import shlex
import subprocess
import sys
import time

import click

from tests.lab import templates
from tests.lab.certificates import EDGE
from tests.lab.errors import LabError
from tests.lab.folders import PROJECT
from tests.lab.host import Host, every
from tests.lab.load import LEAD, post
from tests.lab.requirements import missing
from tests.lab.runs import words

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
def platform(host: Host) -> None:
    """The same with the whole platform on it; says how to send it a lead.

    A new host is a copy of the template, which the pages make when any of them changed. On a host that is there
    they run again.
    """
    began = time.monotonic()
    host.take()
    was_there = host.is_made
    for title, seconds in templates.up(host, "platform").items():
        click.echo(f"{seconds:.0f} s  {title}")
    host.store.start()
    host.receiver.start()
    if was_there:
        done = subprocess.run(words(host.name, ["platform"], {}, []), cwd=PROJECT, check=False)
        if done.returncode:
            sys.exit(done.returncode)
    answer = post(host)
    if answer.status != 202:
        raise LabError("edge", f"the first lead was answered {answer.status}: {answer.told}", "read its log")
    click.echo(f"\n{time.monotonic() - began:.0f} s from `make lab` to the first 202.")
    click.echo(f"The edge is {host.address}, under the name {EDGE}. Send a lead:\n\n{_curl(host)}")


def _curl(host: Host) -> str:
    """For a shell in the project; the key stays in its file."""
    folder = host.directory.relative_to(PROJECT)
    return (
        f"curl -i --cacert {folder}/ca.pem --resolve {EDGE}:443:{host.address} https://{EDGE}/api/lead/intake \\\n"
        f'  -H "Authorization: Bearer $(cat {folder}/api-key)" -H "Content-Type: application/json" \\\n'
        f'  -H "Idempotency-Key: $(date +%s)" -d {shlex.quote(json.dumps(LEAD))}'
    )


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
