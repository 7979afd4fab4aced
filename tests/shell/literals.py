"""Pieces of shell as they lie in the pages and the kit, to see that all of them were among what was checked."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SHELL: Final = re.compile(
    r"\$\(|\$[a-z]|&& |\|\| |>/dev/null|2>&1|; (do|then|fi|done|exit)\b|\[ -[a-z] "
    r"|\| (sed|grep|tail|head|awk|cut|tr|wc)\b"
)

# By how a piece begins: what no run comes to, and why; and what is no shell.
NOT_EMITTED: Final = {
    "&& mkdir -p -m 0700": "podman.py: a manifest with Podman's method `locked`",
    "archive' | sha256sum --check": "podman.py: the same",
    "timeout 30 podman run --rm --pull never --network none --read-only --log-driver none": "release.py: a `post`"
    " migration that is still to be applied",
    "^## Unreleased$": "a regular expression",
    "SELECT version || ": "SQL",
    ": the candidate of `": "a sentence",
    ": what `": "a sentence",
    "64 hex digits. Of an archive, what `": "a sentence",
}


def unseen(top: Path, corpus: str) -> list[str]:
    """Each as `path:line: text`: shell in a Python file below `top` that nothing emitted."""
    return [
        f"{path.relative_to(top)}:{line}: {piece.strip()[:80]}"
        for path in sorted((top / "deploys").rglob("*.py"))
        for line, piece in pieces(path.read_text(encoding="utf-8"))
        if piece not in corpus and not piece.strip().startswith(tuple(NOT_EMITTED))
    ]


def pieces(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every literal, or part of an f-string, that is shell by its looks."""
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield from ((node.lineno, part) for part in node.value.split("%s") if _SHELL.search(part))
