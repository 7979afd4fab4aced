"""Who runs the pages, from where, and from which state of the repository."""

import getpass
import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from deploys.kit import git
from deploys.kit.errors import Refused


@dataclass(frozen=True)
class RunIdentity:
    """Identifies one run; `run` is its id on the host, in the record and in every file it marks."""

    run: str
    since: str
    who: str
    machine: str
    pid: int
    git: str
    dirty: bool


def here() -> RunIdentity:
    now = datetime.now(UTC)
    return RunIdentity(
        run=f"run-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        since=now.isoformat(timespec="seconds"),
        who=getpass.getuser(),
        machine=socket.gethostname(),
        pid=os.getpid(),
        git=_git("rev-parse", "HEAD") or "unknown",
        # The entry that a run writes to the log of deploys must not make the next run dirty.
        dirty=bool(_git("status", "--porcelain", "--", ".", ":(exclude)docs/deployments")),
    )


def _git(*words: str) -> str:
    """What git prints; empty without git or a repository."""
    try:
        return git.ask(*words)
    except Refused:
        return ""
