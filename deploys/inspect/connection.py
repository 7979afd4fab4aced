"""Hosts for a command that only looks: reached as pages reach them, without any operation."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_state
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import parse_cli_arg

from deploys.kit.errors import Refused


def named(inventory: str) -> list[str]:
    """The hosts of an inventory file, which need not answer."""
    with ctx_state.use(State()), ctx_config.use(Config()):  # type: ignore[no-untyped-call]  # pyinfra's own
        return [host.name for host in make_inventory(inventory, cwd=".")]


@contextmanager
def connected(inventory: str, limit: str | None, data: Sequence[str] = ()) -> Iterator[list[Host]]:
    """The hosts of an inventory file, with their data; raises PyinfraError for one that cannot be reached.

    `data` goes over it, each `key=value` as after pyinfra's --data. Raises Refused where `limit` names no host.
    """
    # A host that cannot be reached is told in a line of ours, not in a traceback of the library's.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    config, state = Config(), State()  # type: ignore[no-untyped-call]  # pyinfra's own
    with ctx_state.use(state), ctx_config.use(config):
        given = {key: parse_cli_arg(value) for key, _, value in (pair.partition("=") for pair in data)}
        known = make_inventory(inventory, cwd=".", override_data=given)
        chosen = [host for host in known if limit in (None, host.name)]
        if not chosen:
            raise Refused(inventory, f"has no host {limit}", "choose one that it names")
        state.init(known, config, initial_limit=chosen)
        connect_all(state)
        try:
            yield chosen
        finally:
            disconnect_all(state)
