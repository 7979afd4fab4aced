"""Lock files in requirements/, as tests read them."""

from typing import Final

from packaging.requirements import Requirement

# How every lock is installed. A lock is complete, so pip has nothing to resolve. If it resolved, it would meet
# `urllib3` where the lock has `urllib3[socks]`, take that for another requirement, and want a hash for its newest.
INSTALL: Final = ("--no-deps", "--require-hashes")


def requirements(text: str) -> list[Requirement]:
    """What a lock asks for, one requirement for each pinned package, with its extras and marker."""
    return [
        Requirement(line.removesuffix("\\"))
        for line in text.splitlines()
        if line and not line.startswith((" ", "#"))
    ]


def without_extras(text: str) -> str:
    """The lock as `uv pip compile --strip-extras` would write it."""
    lines = []
    for line in text.splitlines():
        name, bracket, rest = line.partition("[")
        lines.append(name + rest.partition("]")[2] if bracket and not line.startswith(" ") else line)
    return "\n".join(lines)
