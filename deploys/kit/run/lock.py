"""One run at a time: the lock on a host, and the shell commands that take, break and release it.

The lock is a directory with one file in it, named after the run that holds it. Taking it is one rename onto a
missing or empty directory; breaking and releasing it is one unlink of a name that only that run has. So the second
run changes nothing, however close the race.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from shlex import quote
from typing import Final

from deploys.kit.errors import Refused

RUN_ID: Final = re.compile(r"run-\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass(frozen=True)
class Holder:
    """Who holds the lock; `since` is UTC, `machine` and `pid` tell where the run is."""

    run: str
    who: str
    machine: str
    since: str
    pages: tuple[str, ...]
    pid: int


@dataclass(frozen=True)
class Attempt:
    """The result of taking the lock; `broke` means the acknowledged run's lock was there and was removed."""

    taken: bool
    broke: bool
    holder: Holder | None


def take_command(directory: str, holder: Holder, acknowledged: str | None = None) -> str:
    """Prints `broke` and `taken`, each on its own line, or what the current holder wrote.

    `acknowledged` is the id of a dead run whose lock is removed first.
    """
    mine = f"lock.{quote(holder.run)}"
    broken = f"rm lock/{quote(acknowledged)}.json 2>/dev/null && echo broke || true\n" if acknowledged else ""
    return (
        f"set -eu; umask 077; mkdir -p {quote(directory)}; cd {quote(directory)}\n"
        f"{broken}"
        f"mkdir {mine}; printf '%s\\n' {quote(json.dumps(asdict(holder)))} > {mine}/{quote(holder.run)}.json\n"
        f"if mv -fT {mine} lock 2>/dev/null; then echo taken\n"
        f"else rm -r {mine}; cat lock/*.json 2>/dev/null || true; fi"
    )


def read_attempt(output: Sequence[str]) -> Attempt:
    """From the lines that `take_command` printed."""
    written = [json.loads(line) for line in output if line.startswith("{")]
    holder = Holder(**{**written[0], "pages": tuple(written[0]["pages"])}) if written else None
    return Attempt("taken" in output, "broke" in output, holder)


def release_command(directory: str, run: str) -> str:
    """Does nothing if that run does not hold the lock."""
    return f"cd {quote(directory)} || exit; rm -f lock/{quote(run)}.json; rmdir lock 2>/dev/null || true"


def refusal(host: str, holder: Holder | None) -> Refused:
    if holder is None:
        return Refused(
            host,
            "the lock was held a moment ago, or has no holder",
            "run again; if it persists, inspect the lock/ directory",
        )
    run = f"{', '.join(holder.pages)}, {holder.run}, process {holder.pid}"
    return Refused(
        host,
        f"locked by {holder.who}@{holder.machine} since {holder.since} ({run})",
        f"wait for it to finish or, if it is dead, run again with --data acknowledge={holder.run}",
    )
