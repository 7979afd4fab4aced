"""Starting a program so that it ends when we do, and stopping it."""

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
    """Start a program in a new session, with its output appended to `log`.

    When the calling thread dies, for whatever reason, the kernel sends the program `last_signal`.
    """
    parent = os.getpid()

    def end_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, last_signal)
        if os.getppid() != parent:  # the parent died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - only the programs of this profile
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C reaches only us, and we stop our children in order
            preexec_fn=end_with_parent,  # noqa: PLW1509 - runs after setuid, which clears PDEATHSIG; one prctl
            **(account.identity if account else {}),
        )


def stop(child: Child, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn and wait its seconds; use SIGKILL if the child is still running."""
    for number, seconds in steps:
        if child.poll() is not None:
            return
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)  # a frozen process handles no signal before it continues
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
    if child.poll() is None:
        child.kill()
        child.wait()


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, indented, to be shown after an error."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "".join(f"\n    {line}" for line in lines[-count:])
