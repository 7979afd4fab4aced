"""pyinfra on a lab host, as an operator starts it: waited for, or left running to be killed by a test."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.cgroup import Group
from tests.lab.command import until
from tests.lab.folders import PROJECT

RUN_SECONDS = 1800  # what hangs; the whole platform on a busy machine takes a third
END_SECONDS = 30


class Run(subprocess.Popen[bytes]):
    """A pyinfra in a session of its own. Its output is in the file `log`."""

    def __init__(self, group: Group, log: Path, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self.log = log
        self.group = group
        with log.open("wb") as file:
            super().__init__(
                self.group.words(*words),
                cwd=PROJECT,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def says(self, words: str, seconds: float) -> bool:
        """Whether the words came in time; no longer waited for when it has ended."""
        until(lambda: words in self.output or self.poll() is not None, seconds)
        return words in self.output

    def send_all(self, number: int) -> None:
        """Signal the whole session, as a terminal does."""
        os.killpg(self.pid, number)

    def done(self, seconds: float) -> subprocess.CompletedProcess[str]:
        """Its result; killed when it is not there in time (TimeoutExpired)."""
        try:
            self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send_all(signal.SIGKILL)
            self.wait(END_SECONDS)
            raise
        return subprocess.CompletedProcess(self.args, self.returncode, self.output, "")


def words(name: str, pages: Sequence[str], data: Mapping[str, str], extra: Sequence[str]) -> list[str]:
    """The command; a page is named by its file below deploys/, without the ending."""
    given = [word for key, value in data.items() for word in ("--data", f"{key}={value}")]
    files = [f"deploys/{page}.py" for page in pages]
    program = str(Path(sys.executable).with_name("pyinfra"))
    return [program, "-y", *extra, "--limit", name, *given, "inventories/lab.py", *files]
