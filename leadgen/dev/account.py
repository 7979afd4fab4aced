"""Who PostgreSQL, which refuses to run as root, runs as: ourselves, or `nobody` when we are root."""

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
    """The arguments of subprocess that choose the child's user."""

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
        """Run a program to its end as this user."""
        return subprocess.run(  # noqa: S603 - programs of our own wheels, and coreutils
            command, cwd="/", env=PLAIN_ENVIRON, capture_output=True, text=True, check=False, **self.identity
        )

    def can_enter(self, folder: Path) -> bool:
        """Ask the kernel, as this user: so modes, ACLs and every parent folder count."""
        return self.run("test", "-x", folder).returncode == 0

    def can_run(self, program: Path) -> bool:
        try:
            return self.run(program, "--version").returncode == 0
        except PermissionError:
            return False

    def take(self, path: Path, mode: int) -> None:
        """Make the path this user's."""
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
