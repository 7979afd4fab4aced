"""Shell to be checked: where it is from, its dialect, and the scripts in it that one shell hands to another."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SHELLS: Final = {"sh": "sh", "dash": "sh", "bash": "bash"}

_SHEBANG: Final = re.compile(r"#! ?(?:\S*/env )?(?:\S*/)?(\w+)\b")
_DIRECTIVE: Final = re.compile(r"# shellcheck shell=(\w+)\b")
# A word as the shell reads it, made of pieces: quoted by one mark or two, escaped, or plain.
_PIECES: Final = r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\;&|()<>])+"""
_PIECE: Final = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|(\\.)|([^'"\\]+)""", re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["$`\\])')
# What is quoted, or a comment, is passed over as a whole.
_CALL: Final = rf"(?:[^\s'\"]*/)?({'|'.join(SHELLS)}) (-[a-z]*c) ({_PIECES})"
_TOKEN: Final = re.compile(rf"{_CALL}|(?<!\S)#[^\n]*|{_PIECES}|.", re.DOTALL)


@dataclass(frozen=True)
class Script:
    """One text as a shell would read it; `where` is a path, or the operation that sends it to a host."""

    where: str
    text: str
    dialect: str = "sh"
    is_file: bool = False  # else it was put together by a program

    @property
    def name(self) -> str:
        return self.where.partition(" ")[0].rpartition("/")[2]

    def inner(self) -> Iterator["Script"]:
        """The text of each `sh -c '...'` in it, which for ShellCheck is a mere word; and so on inwards."""
        for call in _TOKEN.finditer(self.text):
            name, options, word = call.groups()
            if name:
                stops = "set -e; " if "e" in options else ""
                script = Script(f"{self.where}, in its `{name} {options}`", stops + _unquoted(word), SHELLS[name])
                yield script
                yield from script.inner()


def dialect(path: str, text: str) -> str | None:
    """Of a file: by its first line or its suffix; None for what is no shell script."""
    first = text.partition("\n")[0]
    if found := _SHEBANG.match(first):
        return SHELLS.get(found[1])
    if found := _DIRECTIVE.match(first):
        return found[1]
    return "sh" if path.endswith(".sh") else None


def _unquoted(word: str) -> str:
    return "".join(
        plain or single or _ESCAPED.sub(r"\1", double or escaped)
        for single, double, escaped, plain in _PIECE.findall(word)
    )
