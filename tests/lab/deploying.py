"""How lab tests run pages and read what came of them: output, record, and the state of the host as text."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deploys.kit.plan import runbook
from tests.lab.host import Host
from tests.lab.runs import RUN_SECONDS

DATABASE = ("plat_01", "plat_02a", "plat_02b", "plat_02c", "plat_03", "plat_04a")
REDIS = ("plat_08b", "plat_08c", "plat_08d")
FOUNDATION = (*DATABASE, *REDIS)  # all that needs no store outside the host
EDGE_PAGES = ("plat_05", "plat_06a", "plat_07")
PAGES = tuple(entry.id.lower() for entry in runbook.ORDER if entry.status == "ready")
STATE = Path(__file__).with_name("state.sh")
NOTHING: tuple[int, list[str]] = (0, [])  # what a second run did
UNLOCK = {"unlock": "PLAT_04A", "reason": "the lab asks"}


@dataclass(frozen=True)
class Ended:
    """A run of pyinfra that came to its end."""

    host: Host
    code: int
    output: str

    @cached_property
    def line(self) -> dict[str, Any]:
        """The last line of the host's record."""
        return record(self.host)[-1]

    @property
    def changed(self) -> int:
        return int(self.line["changed"])

    @property
    def did(self) -> tuple[int, list[str]]:
        """How many operations changed something, after the host's record, and which, after pyinfra's table."""
        return self.changed, self.changes

    @property
    def marks(self) -> list[int]:
        """The numbers of the operations after which the host is another one than before: to be killed after one
        that changed nothing is to be killed after the one before it. The first opens the record."""
        _, *operations = self.output.split("--> Starting operation: ")
        assert len(operations) == self.line["operations"], self.output
        return [number for number, told in enumerate(operations, 1) if number == 1 or "] Success" in told]

    @property
    def changes(self) -> list[str]:
        """Operations that changed something, as pyinfra's own table counts them."""
        rows = re.findall(r"^ {4}(\S+ \| .+?)\s{2,}1\s+1\s+-\s+-\s*$", self.output, re.MULTILINE)
        return [str(row) for row in rows]


def deploy(
    host: Host,
    *pages: str,
    data: Mapping[str, str] | None = None,
    words: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> Ended:
    """The pages in one command; whatever the end."""
    done = host.pyinfra(*pages, data=data, extra=words, seconds=RUN_SECONDS, **(environ or {}))
    return Ended(host, done.returncode, done.stdout + done.stderr)


def deployed(
    host: Host,
    *pages: str,
    data: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Ended:
    """The pages in one command, which must go well."""
    ended = deploy(host, *pages, data=data, environ=environ)
    assert ended.code == 0, ended.output
    assert ended.line["event"] == "OK", ended.line
    return ended


def include(host: Host, pages: Sequence[str] = FOUNDATION, data: Mapping[str, str] | None = None) -> Ended:
    """The same for pages that are not named but included, so that locked ones verify; whatever the end."""
    return deploy(host, "../tests/lab/included", data=data, environ={"PAGES": ",".join(pages)})


def included(host: Host, pages: Sequence[str] = FOUNDATION) -> Ended:
    """It must go well."""
    ended = include(host, pages)
    assert ended.code == 0, ended.output
    return ended


def record(host: Host) -> list[dict[str, Any]]:
    """The host's own record, oldest line first."""
    text = host.root("cat /var/lib/motorcade/record.jsonl 2>/dev/null || true").stdout
    return [json.loads(line) for line in text.splitlines()]


def status(host: Host) -> tuple[int, dict[str, Any]]:
    """How deploys.status ends, and what it tells of the host."""
    words = [sys.executable, "-m", "deploys.status", "inventories/lab.py", "--limit", host.name, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    (found,) = json.loads(done.stdout)
    return done.returncode, found


def state(host: Host) -> str:
    """What pages answer for, as text that is the same for the same state."""
    return host.root("sh -s", given=STATE.read_text(encoding="utf-8")).stdout


def everything(host: Host) -> str:
    """The state, the record and the lock: what a refused run must leave as it was."""
    kit = host.root(
        "find /var/lib/motorcade -type f -exec sha256sum {} + 2>/dev/null | sort; ls -a /var/lib/motorcade"
    )
    return state(host) + kit.stdout


def sentence(output: str) -> str:
    """pyinfra's output as one line, so that a message is found wherever it was wrapped."""
    return re.sub(r"\s+", " ", output)
