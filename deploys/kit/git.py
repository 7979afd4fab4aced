"""What this repository says of itself."""

import subprocess
from typing import Final

from deploys.kit.errors import Refused

_SECONDS: Final = 20


def ask(*words: str) -> str:
    """What git prints, without its last line's end. Raises Refused where there is no git, or git says no."""
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
        raise Refused(where, done.stderr.strip() or f"ended with {done.returncode}", "run it in a whole checkout")
    return done.stdout.rstrip("\n")
