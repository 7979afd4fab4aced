"""Which pages a host has passed: one file a page, written only after everything in the page was green."""

import json
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override

if TYPE_CHECKING:
    from deploys.kit.page import Page

DIRECTORY: Final = "/var/lib/motorcade/steps"


@dataclass(frozen=True)
class Step:
    """What a host knows of one page.

    `config` is the sha256 of everything that shaped the result; `files` are the host files that the page owns,
    each with the sha256 of its content. `red` tells of a later run of the page that failed.
    """

    page: str
    release: str
    config: str
    passed: str
    run: str
    git: str
    files: Mapping[str, str] = field(default_factory=dict)
    red: str = ""

    def equals(self, other: "Step") -> bool:
        """The same release and configuration, whenever that was seen."""
        return (self.release, self.config, dict(self.files)) == (other.release, other.config, dict(other.files))


class Steps(FactBase[dict[str, Step]]):
    """Every page the host has passed; empty on a host that no page has met."""

    default = dict

    @override
    def command(self) -> str:
        return f"grep -rH '' {DIRECTORY} 2>/dev/null || true"

    @override
    def process(self, output: list[str]) -> dict[str, Step]:
        found: dict[str, dict[str, Any]] = {}
        for line in output:
            path, _, text = line.partition(":")
            page, _, kind = path.rpartition("/")[2].rpartition(".")
            if kind == "json":
                found.setdefault(page, {}).update(json.loads(text))
            elif kind == "red":
                found.setdefault(page, {})["red"] = json.loads(text)["run"]
        return {page: Step(**values) for page, values in found.items() if "passed" in values}


def write_command(step: Step) -> StringCommand:
    """Replaces the step in one rename, and ends the page's red mark."""
    path = f"{DIRECTORY}/{step.page}.json"
    values = {name: value for name, value in asdict(step).items() if name != "red"}
    text = quote(json.dumps(values, sort_keys=True))
    return StringCommand(
        f"mkdir -p {DIRECTORY} && printf '%s\\n' {text} > {path}.new && sync {path}.new"
        f" && mv -fT {path}.new {path} && rm -f {DIRECTORY}/{step.page}.red"
    )


def passed(page: "Page") -> None:
    """The page's last operation: all before it was green, so the host may say that it passed."""
    _passed(page=page, **page.op("on record", 30))


@operation()
def _passed(page: "Page") -> Generator[StringCommand]:
    found = host.get_fact(Steps).get(page.id)
    wanted = page.step()
    if found and not found.red and found.equals(wanted):
        host.noop(f"{page.id} is on record since {found.passed}")
    else:
        yield write_command(wanted)
