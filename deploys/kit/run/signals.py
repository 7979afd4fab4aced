"""Ctrl-C, TERM and HUP: the current step finishes, no other starts, and the run is closed as usual."""

import contextlib
import os
import signal
import sys
from types import FrameType

import gevent
from pyinfra.api.state import State, StateStage

_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """The signal received; `closing` is set while the record of an ended run is written."""

    def __init__(self, state: State) -> None:
        self.heard: signal.Signals | None = None
        self.closing = False
        self._state = state

    def listen(self) -> None:
        for number in _HEARD:
            # A signal that the shell ignores on purpose (nohup) stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._hear)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self.closing or self._state.current_stage is StateStage.Disconnect:
            _say("the run has ended and is being recorded")
        elif self.heard:
            _say("already stopping after the current step")
        else:
            self.heard = signal.Signals(number)
            _say("stopping after the current step")
            _leave(128 + number)


def _leave(code: int) -> None:
    """End only the main greenlet: a step running in its own must finish."""
    hub = gevent.get_hub()
    if gevent.getcurrent() in (hub, hub.parent):
        sys.exit(code)
    hub.loop.run_callback(hub.parent.throw, SystemExit(code))


def _say(text: str) -> None:
    # Not print: a signal may interrupt one, and the terminal may be gone.
    with contextlib.suppress(OSError):
        os.write(2, f"\n--> {text}\n".encode())
