"""pyinfra that dies by SIGKILL right after its n-th operation: `python -m tests.lab.killed N arguments…`."""

import os
import signal
import sys
from typing import Any

from pyinfra.api.state import State
from pyinfra_cli.main import main

ENDS = {"operation_host_success", "operation_host_error"}


def die_after(operations: int) -> None:
    """Counts the operations that ended, seen by every callback before the end comes."""
    seen = 0
    trigger = State.trigger_callbacks

    def trigger_then_die(self: State, method_name: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - pyinfra's own
        nonlocal seen
        trigger(self, method_name, *args, **kwargs)
        seen += method_name in ENDS
        if seen == operations:
            os.kill(os.getpid(), signal.SIGKILL)

    State.trigger_callbacks = trigger_then_die  # type: ignore[method-assign]  # the place where pyinfra tells of an end


if __name__ == "__main__":
    die_after(int(sys.argv[1]))
    sys.argv = ["pyinfra", *sys.argv[2:]]
    main()
