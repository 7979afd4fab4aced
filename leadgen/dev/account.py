"""The user that PostgreSQL runs as, because it refuses to run as root: ours, or `nobody` when we are root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from leadgen.dev.errors import CannotStart

UNPRIVILEGED: Final = "nobody"
PLAIN_ENVIRON: Final = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}


class Identity(TypedDict, total=False):
    """The arguments of subprocess that set the child's user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int

    @property
    def identity(self) -> Identity:
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program as this user and wait until it ends."""
        return subprocess.run(  # noqa: S603 - programs from our wheels, and coreutils
            command, cwd="/", env=PLAIN_ENVIRON, capture_output=True, text=True, check=False, **self.identity
        )

    def can_enter(self, folder: Path) -> bool:
        """Check as this user, through the kernel, so that modes, ACLs and all parent folders count."""
        return self.run("test", "-x", folder).returncode == 0

    def can_run(self, program: Path) -> bool:
        try:
            return self.run(program, "--version").returncode == 0
        except PermissionError:
            return False

    def take(self, path: Path, mode: int) -> None:
        """Make this user the owner of the path."""
        os.chown(path, self.uid, self.gid)
        path.chmod(mode)


def for_postgres() -> Account:
    if os.geteuid() != 0:
        return Account("this user", os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise CannotStart(
            "dev profile",
            f"PostgreSQL refuses to run as root, and this machine has no user `{UNPRIVILEGED}`",
            "run it as a normal user",
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
