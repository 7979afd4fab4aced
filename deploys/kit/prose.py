"""Text for people only: comments and docstrings. Rewording them deploys nothing.

Only what is certainly prose is left out. Leaving out too little rewrites a file needlessly; leaving out too much
would keep a change off the host.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

# Files in which a line that begins with # is a comment: units, and the settings of every program we run.
_COMMENTED: Final = {".conf", ".container", ".network", ".path", ".service", ".socket", ".target", ".timer"}
# No control character, as systemd ends a line at a carriage return; no backslash at the end, which may join lines.
_COMMENT: Final = re.compile(r"[ \t]*#[^\x00-\x08\x0a-\x1f\x7f]*(?<!\\)")
# A line that does not continue on the next: no backslash ends it, and every quotation is closed, because nginx
# would read on, and so would TOML after three quotes. Within a word, such as Ann's, a quote is a letter.
_CLOSED: Final = re.compile(
    r"""(?: \s | (?:[^\s'"]|(?<=[^\s;{}'"\\])['"])+(?<!\\)(?=\s|$)
    | '(?:[^'\\]|\\.)*'(?=[\s;]|$) | "(?:[^"\\]|\\.)*"(?=[\s;]|$) )* (?:\#.*)?""",
    re.VERBOSE,
)


def without_comments(path: str, text: str) -> str:
    """A host's file without its comments; the path tells which lines are comments, if any."""
    if PurePosixPath(path).suffix in _COMMENTED:
        return "\n".join(_settings(text.split("\n")))
    if PurePosixPath(path).suffix == ".sh" or text.startswith("#!"):
        return without_heading(text)
    return text


def without_heading(script: str) -> str:
    """A script without the comments above its first command; later ones may be part of a heredoc."""
    lines = script.split("\n")
    kept = lines[:1] if script.startswith("#!") else []
    rest = lines[len(kept) :]
    while rest and _COMMENT.fullmatch(rest[0]):
        del rest[0]
    return "\n".join([*kept, *rest])


def code(page: str) -> str:
    """A page's Python without comments, docstrings and layout, and without the modules that names come from."""
    tree = ast.parse(page)
    return repr((sorted(set(_names(tree))), _shape(tree)))


def _settings(lines: list[str]) -> Iterator[str]:
    """All lines except comments; from a line that may continue on, every line."""
    closed = True
    for line in lines:
        if closed and _COMMENT.fullmatch(line):
            continue
        yield line
        closed = closed and _CLOSED.fullmatch(line) is not None


def _names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each imported name, and the name that the page gives it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)


def _shape(node: object) -> object:
    """Like ast.dump, but the same text before Python 3.13 and since."""
    if isinstance(node, list):
        return [_shape(each) for each in node if not _is_prose(each)]
    if not isinstance(node, ast.AST):
        return node
    parts = [(name, _shape(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
    return (type(node).__name__, parts)


def _is_prose(node: object) -> bool:
    """Text that is a statement of its own, as a docstring is; and imports, which `_names` reads."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant(str())):
            return True
    return False
