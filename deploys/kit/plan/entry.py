"""One page of the runbook: where it stands in the order, on which hosts it runs, and what its text says."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import deploys.kit
from deploys.kit.plan import page_text
from deploys.kit.plan.page_text import Text

GROUPS: Final = ("database", "app", "edge")
WHOLE: Final = "platform"  # the inventory's group of hosts that are members of all three
OWN: Final = "own"
NAMED: Final = "named"

_REPOSITORY: Final = Path(deploys.kit.__file__).parents[2]


@dataclass(frozen=True)
class Entry:
    """One page. `locked`: verifies only, once it has passed. `frozen`: changes only with the owner's consent.

    `row` is its number in the company's runbook, `named` if that names it without a number, or `own`.
    `data` is what a run of the page cannot do without. `plan` is the text of a page that is not built yet.
    """

    id: str
    title: str
    requires: tuple[str, ...]
    groups: tuple[str, ...]
    row: str = OWN
    locked: bool = False
    frozen: bool = False
    data: str = ""
    plan: Text | None = None

    @property
    def file(self) -> str:
        return f"deploys/{self.id.lower()}.py"

    @property
    def status(self) -> Literal["ready", "planned"]:
        return "planned" if self.plan else "ready"

    @property
    def text(self) -> Text:
        """Raises Refused where a ready page has no whole docstring."""
        return self.plan or page_text.read(_REPOSITORY / self.file)

    def runs_on(self, names: Collection[str]) -> bool:
        """Whether it runs on a host of these groups of the inventory."""
        return any(group in members(names) for group in self.groups)


def members(names: Collection[str]) -> tuple[str, ...]:
    """Which of the three groups a host is in; all of them if the inventory names none."""
    named = tuple(group for group in GROUPS if group in names)
    return GROUPS if WHOLE in names or not named else named
