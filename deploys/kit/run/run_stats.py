"""Statistics of a run: how many operations changed something, how long each took, and which one was last."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from pyinfra.api.host import Host
from pyinfra.api.state import State, StateStage

SLOW_SECONDS: Final = 1.0  # slower operations are listed in the record


@dataclass
class RunStats:
    """`last` is the operation started last; `running` is the same until it succeeds, so a failed one stays."""

    began: float = field(default_factory=monotonic)
    last: str = ""
    running: str = ""
    slow: dict[str, float] = field(default_factory=dict)
    _operation_began: float = 0.0

    def start(self, operation: str) -> None:
        self.last = self.running = operation
        self._operation_began = monotonic()

    def stop(self, *, succeeded: bool) -> None:
        seconds = monotonic() - self._operation_began
        if self.running and seconds > SLOW_SECONDS:
            self.slow[self.running] = round(seconds, 1)
        if succeeded:
            self.running = ""

    def seconds(self) -> float:
        return round(monotonic() - self.began, 1)


def title(state: State, op_hash: str, pages: list[str]) -> str:
    """The operation's name from its page on: without the file that included the page."""
    name = min(state.get_op_meta(op_hash).names)
    parts = name.split(" | ")
    known = [index for index, part in enumerate(parts) if part in pages]
    return " | ".join(parts[known[0] :]) if known else name


def page_of(operation: str, pages: list[str]) -> str | None:
    """The page named at the start of an operation's title."""
    page = operation.partition(" | ")[0]
    return page if page in pages else None


def changed(state: State, host: Host, pages: list[str]) -> dict[str, int]:
    """Operations that changed something, by page; every page of the plan is there."""
    counts = dict.fromkeys(pages, 0)
    for op_hash, operation in state.ops[host].items():
        page = page_of(title(state, op_hash, pages), pages) or ""
        meta = operation.operation_meta
        if meta.is_complete() and meta.did_change():
            counts[page] = counts.get(page, 0) + 1
    return counts


def figures(state: State, host: Host, pages: list[str], stats: RunStats) -> dict[str, Any]:
    """For the record. A run stops at its first failed operation, so `failed` is 0 or 1."""
    stopped = state.current_stage is not StateStage.Disconnect
    by_page = changed(state, host, pages)
    return {
        "changed": sum(by_page.values()),
        "failed": int(stopped and bool(stats.running)),
        "operations": len(state.ops[host]),
        "seconds": stats.seconds(),
        "changed_by_page": by_page,
        "slow": stats.slow,
        "failed_operation": stats.running if stopped else "",
    }
