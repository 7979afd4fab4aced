"""The terminal that the profile was started on, and whether it is still there."""

import contextlib
import os
import select
import signal
from typing import Final

_GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Terminal:
    """The process's controlling terminal; without one, or under `nohup`, it is never gone.

    A terminal that closes sends SIGHUP to its session's first process. If that is `make`, it waits for us and
    passes nothing on, so the signal alone does not do.
    """

    def __init__(self) -> None:
        self._poll: select.poll | None = None
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            return
        with contextlib.suppress(OSError):
            opened = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
            self._poll = select.poll()
            self._poll.register(opened, 0)

    def is_gone(self) -> bool:
        return self._poll is not None and any(events & _GONE for _, events in self._poll.poll(0))
