"""Hosts for read-only commands: connected as for pages, without any operation."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_state
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import parse_cli_arg

from deploys.kit.errors import Refused
from deploys.kit.run import wire


def named(inventory: str) -> list[str]:
    """The hosts of an inventory file, without connecting to them. Raises Refused if it lists none."""
    with ctx_state.use(State()), ctx_config.use(Config()):  # type: ignore[no-untyped-call]  # pyinfra's own
        return [host.name for host in _read(inventory)]


@contextmanager
def connected(inventory: str, limit: str | None, data: Sequence[str] = ()) -> Iterator[list[Host]]:
    """The hosts of an inventory file, with their data; raises PyinfraError for one that cannot be reached.

    `data` overrides it, each `key=value` as in pyinfra's --data. Raises Refused if it does not list `limit`.
    """
    # An unreachable host is reported in one line of ours, not in a traceback of the library.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    config, state = Config(), State()  # type: ignore[no-untyped-call]  # pyinfra's own
    with ctx_state.use(state), ctx_config.use(config):
        given = {key: parse_cli_arg(value) for key, _, value in (pair.partition("=") for pair in data)}
        known = _read(inventory, given)
        chosen = [host for host in known if limit in (None, host.name)]
        if not chosen:
            raise Refused(inventory, f"has no host {limit}", "choose one that it lists")
        state.init(known, config, initial_limit=chosen)
        connect_all(state)
        for host in chosen:
            wire.prepare(host)
        try:
            yield chosen
        finally:
            disconnect_all(state)


def _read(inventory: str, data: Mapping[str, object] | None = None) -> Inventory:
    """Any Python file is an inventory for pyinfra, but one without hosts is most likely another file."""
    known: Inventory = make_inventory(inventory, cwd=".", override_data=data)
    if not list(known):
        raise Refused(inventory, "lists no host", "name an inventory, e.g. inventories/prod.py")
    return known
