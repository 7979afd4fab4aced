"""pyinfra's own settings, read at every run, and two refusals for what it would pass over in silence."""

from pathlib import Path
from typing import Any

from pyinfra import config
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State

import deploys.kit

# The pages lean on how this series runs callbacks and generators; docs/why.md says where.
config.REQUIRE_PYINFRA_VERSION = "~=3.10"

_kit = Path(deploys.kit.__file__).parent
if not _kit.is_relative_to(Path.cwd()):
    raise PyinfraError(f".venv: it belongs to the kit in {_kit}; run from that checkout, or give this one its own")

_init = State.init


def _init_with_a_host(state: State, inventory: Inventory, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - handed on as they are
    """A mistyped inventory or --limit leaves no host; pyinfra would end with 0, as if it had deployed."""
    limit = named.get("initial_limit")
    if not (list(inventory) if limit is None else limit):
        raise PyinfraError("inventory: no host to run on; correct the inventory's path or --limit")
    _init(state, inventory, *arguments, **named)


State.init = _init_with_a_host
