"""Block an address at the edge for a while, lift a block, or list what is blocked.

Run from the repository root: `python -m deploys.block inventories/prod.py 203.0.113.7 --for 1h --reason flood`.
The kernel of each edge host drops what comes from the address to ports 80 and 443. The host's journal keeps who
did it and why. Without an address it lists the blocks; `--for 0` lifts one.
"""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from shlex import quote
from typing import Final

import click
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host

from deploys.inspect import connection
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.plan.entry import members
from deploys.kit.run import run_identity
from deploys.services.nginx import NGINX, blocks, limits

LIFT: Final = "0"


def own_addresses(host: Host) -> dict[str, str]:
    """The host's, and the operator's as the host sees it."""
    shown = host.get_fact(Probe, "ip -brief address show").lines
    found = {each.partition("/")[0]: f"an address of {host.name}" for line in shown for each in line.split()[2:]}
    # Without sudo, which does not pass it on.
    reached = host.get_fact(Probe, "printenv SSH_CONNECTION", _sudo=False)
    if reached.green:
        found[reached.lines[0].split()[0]] = "the one that you come from"
    return found


def known_addresses(names: Mapping[str, str]) -> dict[str, str]:
    """Of the hosts of an inventory, as far as this machine can look up the name that each is reached by."""
    found: dict[str, str] = {}
    for name, reached in names.items():
        with suppress(OSError):
            found |= {
                str(each[4][0]).partition("%")[0]: f"an address of {name}"
                for each in socket.getaddrinfo(reached, None)
            }
    return found


@click.command("block")
@click.argument("inventory", type=click.Path(exists=True, dir_okay=False))
@click.argument("address", required=False)
@click.option("--for", "time", metavar="TIME", help="How long, such as 30m, 1h or 2d; 0 lifts the block.")
@click.option("--reason", help="Why; the host's journal keeps it with your name.")
@click.option("--limit", help="One host of the inventory.")
def command(inventory: str, address: str | None, time: str | None, reason: str | None, limit: str | None) -> None:
    """Block ADDRESS at the edge for a while, or lift its block; without ADDRESS, list what is blocked."""
    try:
        wanted = _wanted(address, time, reason)
        words = _words(wanted, time, reason) if wanted else ""
        with connection.connected(inventory, limit) as hosts:
            edges = [host for host in hosts if set(NGINX.groups) & set(members(host.groups))]
            if not edges:
                raise Refused(inventory, "has no host with an edge", "choose another inventory or --limit")
            if wanted and time != LIFT:
                refuse_own(wanted, inventory, hosts)
            for host in edges:
                said = _run(host, words) if wanted else []
                listed = list(blocks.sentences(_run(host, "list"))) or ["no address is blocked"]
                for sentence in [*said, *listed]:
                    click.echo(f"{host.name}: {sentence}")
    except PyinfraError as error:
        raise click.UsageError(str(error)) from error


def refuse_own(wanted: blocks.Network, inventory: str, hosts: Sequence[Host]) -> None:
    """Raises Refused if a host, or the operator, would be blocked."""
    names = {name: name for name in connection.named(inventory)}
    names |= {host.name: str(host.data.get("ssh_hostname") or host.name) for host in hosts}
    blocks.refuse_own(wanted, known_addresses(names))
    for host in hosts:
        blocks.refuse_own(wanted, own_addresses(host))


def _wanted(address: str | None, time: str | None, reason: str | None) -> blocks.Network | None:
    """None to list. Raises Refused."""
    if address is None and (time or reason):
        raise Refused("ADDRESS", "is missing", "say which; without --for and --reason the blocks are listed")
    return None if address is None else blocks.network(address)


def _words(wanted: blocks.Network, time: str | None, reason: str | None) -> str:
    """What the host's script is called with. Raises Refused."""
    if not reason or not reason.strip() or not reason.isprintable():
        raise Refused("--reason", "is missing, or more than one line", "say why, in a sentence")
    if not time:
        raise Refused("--for", "is missing", "say how long, such as 1h; 0 lifts the block")
    here = run_identity.here()
    address, who = wanted.network_address, quote(f"{here.who}@{here.machine}")
    if time == LIFT:
        return f"lift {address} {who} {quote(reason)}"
    return f"block {address} {blocks.duration(time)} {who} {quote(reason)}"


def _run(host: Host, words: str) -> list[str]:
    """What the host's script prints. Raises Refused when it fails."""
    line = StringCommand(f"sh {limits.SCRIPT} {words}")
    done, output = host.run_shell_command(line, _sudo=bool(host.data.get("_sudo")))
    if not done:
        said = "; ".join(output.stderr_lines or output.stdout_lines)
        remedy = (
            f"sudo systemctl restart {limits.UNIT}; if {limits.SCRIPT} is missing there, run deploys/plat_05.py"
        )
        raise Refused(host.name, f"{words.partition(' ')[0]} fails ({said})", remedy)
    return output.stdout_lines


if __name__ == "__main__":
    command()
