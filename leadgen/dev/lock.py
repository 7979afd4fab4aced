"""One dev profile at a time per folder; a second one reports which process runs it and where."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from leadgen.dev import processes
from leadgen.dev.errors import AlreadyRunning


class Lock:
    """Held by the kernel while this process lives, so a file left behind by a SIGKILL locks nothing.

    The file's text (pid, start time, address, command line) only describes the holder.
    """

    def __init__(self, file: Path, address: str) -> None:
        self._file = file
        self._address = address
        self._open: TextIO | None = None

    def __enter__(self) -> Self:
        opened = self._file.open("a+", encoding="utf-8", errors="surrogateescape")
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.seek(0)
            holder = opened.read()
            opened.close()
            raise _already_running(holder) from None
        opened.truncate(0)
        opened.write(self._record())
        opened.flush()
        self._open = opened
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._open:
            self._open.truncate(
                0
            )  # never removed: a third process could lock a new file while another still has the removed one
            self._open.close()

    def _record(self) -> str:
        me = processes.find(os.getpid())
        started, command = (me.started, " ".join(me.command)) if me else (0, "")
        return f"{os.getpid()}\n{started}\n{self._address}\n{command}\n"


def _already_running(holder: str) -> AlreadyRunning:
    pid, started, address, command, *_ = [*holder.splitlines(), "", "", "", ""]
    process = processes.find(int(pid or 0))
    who = f"process {pid} (`{command}`)" if process and str(process.started) == started else "another process"
    return AlreadyRunning(
        "dev profile",
        f"{who} is already running it on {address or 'this folder'}",
        f"use that one, or stop it with Ctrl-C in its terminal or `kill -INT {pid}`",
    )
