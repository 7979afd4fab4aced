"""What a page is for, what it leaves on a host and how it proves it: the paragraphs of its docstring."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from deploys.kit.errors import Refused


@dataclass(frozen=True)
class Text:
    """`verify` is empty while a page is planned; `differs` says what is unlike the company's runbook, if any."""

    purpose: str
    leaves: str
    verify: str = ""
    differs: str = ""


def read(path: Path) -> Text:
    """The text of a ready page. Raises Refused, naming the file, where a part is missing."""
    paragraphs = re.split(r"\n\s*\n", ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")[1:]
    parts = [paragraph.partition(":") for paragraph in paragraphs]
    found = {name.lower(): " ".join(text.split()) for name, _, text in parts}
    if faults := list(_faults([name for name, _, _ in parts], found)):
        raise Refused(
            str(path), f"its docstring {', '.join(faults)}", "write it as CONTRIBUTING.md shows under `A page`"
        )
    return Text(**found)


def _faults(names: list[str], found: dict[str, str]) -> Iterator[str]:
    """`names` are those of the paragraphs as written, `found` their text."""
    known = [field.name.capitalize() for field in fields(Text)]
    yield from (f"has a paragraph that is not one of {', '.join(known)}" for name in names if name not in known)
    for name in known:
        if names.count(name) > 1:
            yield f"has {name} twice"
        elif name in names and not found[name.lower()].endswith("."):
            yield f"has no sentence under {name}"
        elif name not in names and name != "Differs":
            yield f"has no {name}"
