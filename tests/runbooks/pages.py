"""The commands that pages for operators give, each with its place: docs/runbooks and docs/services."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROJECT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("docs/runbooks", "docs/services")
CONTINUES: Final = ("\\", "|", "&&")
# How blocks begin that show something else than commands.
SHOWN: Final = {
    "--> OK: run-": "what a run prints",
    "motorcade-web-01: locked by": "what a run prints",
    "/var/log/motorcade/<service>/": "a path",
    'Secret("': "Python, for a declaration",
    "# ~/.config/systemd/user/": "two files",
}


@dataclass(frozen=True)
class Command:
    """`text` is as on the page, with its line breaks; `line` is where its block or paragraph begins, from 1."""

    page: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def every() -> dict[str, list[Command]]:
    """The commands of each page, in its order, by the page's path from the top."""
    texts = {
        str(file.relative_to(PROJECT)): file.read_text(encoding="utf-8")
        for folder in FOLDERS
        for file in sorted((PROJECT / folder).glob("*.md"))
    }
    return {page: list(commands(page, text)) for page, text in texts.items()}


def of(page: str) -> list[Command]:
    """The same of one page."""
    return list(commands(page, (PROJECT / page).read_text(encoding="utf-8")))


def one(page: str, part: str) -> Command:
    """The one command of a page, once or more, that has this part or ends with it. Raises LookupError."""
    found = [each for each in of(page) if part in each.text]
    found = [each for each in found if each.text.endswith(part)] or found
    if len({each.text for each in found}) != 1:
        raise LookupError(f"{page}: {len(found)} commands have `{part}`; name one by another part of it")
    return found[0]


def commands(page: str, text: str) -> Iterator[Command]:
    """Those of blocks, and code in a sentence that begins like one of them: with its program, and goes on."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    programs = {statement.split()[0] for token in tokens for statement in _of_block(token)}
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        yield from (Command(page, line, statement) for statement in _of_block(token))
        for child in token.children or []:
            words = child.content.split() if child.type == "code_inline" else []
            if len(words) > 1 and words[0] in programs | {"sudo"}:
                yield Command(page, line, child.content)


def statements(block: str) -> Iterator[str]:
    """What a shell takes as one command: lines that go on, or that end between quotes, belong together."""
    text = ""
    for line in block.splitlines():
        if not text and (not line.strip() or line.startswith("#")):
            continue
        text += line
        if _is_whole(text):
            yield text
            text = ""
        else:
            text += "\n"
    if text:
        raise ValueError(f"`{text}` does not end; correct the block")


def _of_block(token: Token) -> list[str]:
    if token.type not in ("code_block", "fence") or token.content.startswith(tuple(SHOWN)):
        return []
    return list(statements(token.content))


def _is_whole(text: str) -> bool:
    if text.rstrip().endswith(CONTINUES):
        return False
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True
