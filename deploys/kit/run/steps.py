"""Which pages a host has passed: one file per page, written only when everything in the page was green."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from shlex import quote
from typing import Any, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from typing_extensions import override

DIRECTORY: Final = "/var/lib/motorcade/steps"


@dataclass(frozen=True)
class Step:
    """What a host records of one page.

    `config` is the sha256 of everything that shaped the result; `files` are the host files that the page owns,
    each with the sha256 of its content, and `meanings` the same without comments. `red` is the run that failed or
    was killed since; a page that never passed has only that. `unreadable` says that the page's file holds
    something else, so what the page owns is not known.
    """

    page: str
    release: str = ""
    config: str = ""
    passed: str = ""
    run: str = ""
    git: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    red: str = ""
    unreadable: bool = False

    @property
    def green(self) -> bool:
        return bool(self.passed) and not self.red

    def equals(self, other: "Step") -> bool:
        """Same release and configuration, whenever they passed."""
        return (self.release, self.config) == (other.release, other.config)

    def left(self, path: str, content: str, meaning: str) -> bool:
        """Whether the page wrote this content (a sha256) with this meaning (another) to the path."""
        return (self.files.get(path), self.meanings.get(path)) == (content, meaning)


_HEADER: Final = re.compile("==> (?P<file>.*) <==")  # of `head -v`
_WRITTEN: Final = {each.name for each in fields(Step)} - {"red", "unreadable"}


class Steps(FactBase[dict[str, Step]]):
    """Every page recorded on the host; empty on a host where no page has run."""

    default = dict

    @override
    def command(self) -> str:
        # One process for all files: a run asks this often. The shell names each by itself, so that a file that
        # `head` cannot open is a page without a readable record, and not a page that never ran.
        names = 'for file in *.json *.red; do [ ! -f "$file" ] || echo "==> $file <=="; done'
        return f"if cd {DIRECTORY} 2>/dev/null; then {names}; head -v -n 1 -- *.json *.red 2>/dev/null; true; fi"

    @override
    def process(self, output: list[str]) -> dict[str, Step]:
        texts: dict[str, str] = {}
        name = ""
        for line in output:
            if header := _HEADER.fullmatch(line):
                name = header["file"]
                texts[name] = ""
            elif name:
                texts[name] += line
        found: dict[str, dict[str, Any]] = {}
        for file, text in texts.items():
            page, _, kind = file.partition(".")
            values = _read(text)
            # An unreadable mark counts as a mark; an unreadable step counts as none, so the page runs again.
            if kind == "red":
                known = {"red": values.get("run", "a run that is not known")}
            else:
                known = {name: values[name] for name in _WRITTEN & values.keys()} or {"unreadable": True}
            found.setdefault(page, {}).update(known)
        return {page: Step(**{"page": page, **values}) for page, values in found.items()}


def _read(text: str) -> dict[str, Any]:
    """What a file holds; empty where a power cut or an edit left something else."""
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    if not all(isinstance(values.get(name, {}), dict) for name in ("files", "meanings")):
        return {}
    return values


def write_command(step: Step) -> StringCommand:
    """Replaces the step in one rename and removes the page's red mark."""
    path = f"{DIRECTORY}/{step.page}.json"
    values = {name: value for name, value in asdict(step).items() if name in _WRITTEN}
    text = quote(json.dumps(values, sort_keys=True))
    return StringCommand(
        f"mkdir -p {DIRECTORY} && printf '%s\\n' {text} > {path}.new && sync {path}.new"
        f" && mv -fT {path}.new {path} && rm -f {DIRECTORY}/{step.page}.red"
    )
