"""Shell as it lies in the repository: scripts by their first line, and what a Containerfile runs."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.shell.script import Script, dialect

_RUN: Final = re.compile(r"^RUN ((?:.*\\\n)*.*)\n", re.MULTILINE)
_JINJA: Final = re.compile(r"\{\{|\{%")


def texts(top: Path) -> Iterator[tuple[str, str]]:
    """Path and text of every file written by hand."""
    for folder, folders, files in os.walk(top):
        # Hidden folders hold what was installed, made or run; only .ci is written by hand.
        folders[:] = sorted(name for name in folders if name == ".ci" or name[0] not in "._")
        for file in sorted(files):
            path = Path(folder) / file
            try:
                yield str(path.relative_to(top)), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture


def scripts(top: Path) -> Iterator[Script]:
    """Those that are run as they lie there."""
    for path, text in texts(top):
        if path.rpartition("/")[2] == "Containerfile":
            yield from (Script(f"{path}:{_line(text, run)} RUN", run[1] + "\n") for run in _RUN.finditer(text))
        elif (known := dialect(path, text)) and not (path.startswith("deploys/") and _JINJA.search(text)):
            yield Script(path, text, known, is_file=True)


def templates(top: Path) -> set[str]:
    """Paths of the shell scripts that pages have to render."""
    found = texts(top / "deploys")
    return {f"deploys/{path}" for path, text in found if dialect(path, text) and _JINJA.search(text)}


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
