"""Starting a program so that it ends with us, and stopping it."""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from leadgen.dev.account import Account

Child: TypeAlias = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environ: Mapping[str, str],
    last_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
) -> Child:
    """Start a program in a session of its own, its output appended to `log`.

    When the thread that called this dies, in whichever way, the kernel sends the program `last_signal`.
    """
    parent = os.getpid()

    def end_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, last_signal)
        if os.getppid() != parent:  # it died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the programs of this profile and nothing else
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C reaches us only, and we stop our children in order
            preexec_fn=end_with_parent,  # noqa: PLW1509 - runs after setuid, which clears PDEATHSIG; one prctl
            **(account.identity if account else {}),
        )


def stop(child: Child, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn, wait its seconds, and end with SIGKILL if the child is still there."""
    for number, seconds in steps:
        if child.poll() is not None:
            return
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)  # a frozen one does not heed the first before it goes on
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
    if child.poll() is None:
        child.kill()
        child.wait()


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, indented, to be shown after what failed."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "".join(f"\n    {line}" for line in lines[-count:])
