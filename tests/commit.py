"""What a commit chooses by its number: another one at every commit, the same when it is repeated."""

import subprocess
from functools import cache
from pathlib import Path


@cache
def number() -> int:
    """Grows by one with every commit; 0 without Git."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-list", "--count", "HEAD"]
    return int(subprocess.run(words, capture_output=True, text=True, check=False).stdout or 0)
