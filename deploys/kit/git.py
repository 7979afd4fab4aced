"""Queries to git about this repository."""

import subprocess
from typing import Final

from deploys.kit.errors import Refused

_SECONDS: Final = 20


def ask(*words: str) -> str:
    """What git prints, without the final newline. Raises Refused without git, or when it fails."""
    where = f"git {words[0]}"
    try:
        done = subprocess.run(  # noqa: S603 - the words are the kit's own, and refs of the form that pins.py allows
            ["git", *words],  # noqa: S607 - the operator's own git
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(where, str(error), "run it in a checkout, where git is installed") from None
    if done.returncode != 0:
        raise Refused(where, done.stderr.strip() or f"ended with {done.returncode}", "run it in a full checkout")
    return done.stdout.rstrip("\n")
