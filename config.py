"""pyinfra's own settings, read at every run, and two checks for mistakes that it would silently ignore."""

from pathlib import Path
from typing import Any

from pyinfra.api.config import Config
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import config

import deploys.kit

# The pages rely on how this series runs callbacks and generators; docs/why.md says where.
config.REQUIRE_PYINFRA_VERSION = "~=3.10"

_kit = Path(deploys.kit.__file__).parent
if not _kit.is_relative_to(Path.cwd()):
    raise PyinfraError(f".venv: it was made for {_kit}; run from that checkout, or give this one its own")

_init = State.init


def _init_with_a_host(self: State, inventory: Inventory, config: Config | None, initial_limit: Any = None) -> None:  # noqa: ANN401 - passed on unchanged
    """A mistyped inventory or --limit leaves no host; pyinfra would exit with 0, as if it had deployed."""
    if not (list(inventory) if initial_limit is None else initial_limit):
        raise PyinfraError("inventory: no host to run on; correct the inventory's path or --limit")
    _init(self, inventory, config, initial_limit)


State.init = _init_with_a_host  # type: ignore[method-assign]  # pyinfra has no hook so early
