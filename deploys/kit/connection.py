"""Hosts for a command that only looks: reached as pages reach them, without any operation."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_state
from pyinfra_cli.inventory import make_inventory  # type: ignore[import-untyped]  # ships no types

from deploys.kit.errors import Refused


@contextmanager
def connected(inventory: str, limit: str | None) -> Iterator[list[Host]]:
    """The hosts of an inventory file, with their data; raises PyinfraError for one that cannot be reached.

    Raises Refused where `limit` names none of them.
    """
    # A host that cannot be reached is told in a line of ours, not in a traceback of the library's.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    config, state = Config(), State()  # type: ignore[no-untyped-call]  # pyinfra's own
    with ctx_state.use(state), ctx_config.use(config):
        known = make_inventory(inventory, cwd=".")
        chosen = [host for host in known if limit in (None, host.name)]
        if not chosen:
            raise Refused(inventory, f"has no host {limit}", "choose one that it names")
        state.init(known, config, initial_limit=chosen)
        connect_all(state)
        try:
            yield chosen
        finally:
            disconnect_all(state)
