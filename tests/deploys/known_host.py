"""A host of which everything is known, and a page, for tests of operations: facts in, commands out."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.context import ctx_host

from deploys.kit.facts import Answer, Probe
from deploys.services.leadgen import LEADGEN, Leadgen

GREEN = Answer(0, [])
RED = Answer(1, [])


class KnownHost:
    """`facts` answers by the fact's class, `probes` by a part of the probe's command: the first that fits."""

    name = "motorcade-web-01"

    def __init__(
        self, facts: Mapping[type[FactBase[Any]], object] | None = None, probes: Mapping[str, Answer] | None = None
    ) -> None:
        self.facts = facts or {}
        self.probes = probes or {}
        self.state = SimpleNamespace(is_executing=True, print_output=False)
        self.noops: list[str] = []

    def get_fact(self, fact: type[FactBase[Any]], *arguments: object, **values: object) -> object:
        if fact is not Probe:
            return self.facts[fact]
        command = str(values.get("command", arguments[0] if arguments else ""))
        return next(answer for part, answer in self.probes.items() if part in command)

    def noop(self, why: str) -> None:
        self.noops.append(why)

    def run(self, operation: Callable[..., object], **arguments: object) -> list[StringCommand]:
        """What an operation would do here."""
        with ctx_host.use(self):
            return list(operation._inner(**arguments))  # type: ignore[attr-defined]  # noqa: SLF001 - the generator is under test


class Page:
    """What the kit's verbs use of a page while it is loaded and run."""

    id = "PLAT_99"

    def __init__(self, *, locked: bool = False, data: Mapping[str, str] | None = None, **settings: object) -> None:
        self.locked = locked
        self.used: dict[str, str | bytes] = {}
        self.owned: dict[str, str] = {}
        self.settings = SimpleNamespace(**settings)
        self.notes: list[object] = []
        self.backups: list[tuple[str, str]] = []
        self.sums: list[str] = []
        self.run = SimpleNamespace(
            run_id="run",
            data=(data or {}).get,
            note=lambda *words: self.notes.append(words),
            note_backup=lambda *words: self.backups.append(words),
            note_sum=self.sums.append,
        )
        self.release = SimpleNamespace(
            base=SimpleNamespace(method="archive", sha256="ba" * 32, refreshed="2026-11-27", image=""),
            pins={LEADGEN.name: Leadgen(python="3.13", ref="leadgen-1")},
        )

    def uses(self, label: str, content: str | bytes) -> None:
        self.used[label] = content

    def owns(self, path: str, content: str) -> None:
        self.owned[path] = content

    def may_change(self, what: str) -> None:
        if self.locked:
            raise PermissionError(what)

    def op(self, title: str, seconds: int) -> dict[str, Any]:
        return {"name": f"{self.id} | {title}", "_timeout": seconds}
