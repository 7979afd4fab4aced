"""How much memory the intake holds after it has served and drained: API, worker and sweeper."""

from collections.abc import Iterable
from pathlib import Path

from leadgen.dev import processes
from tests.bench import backlog
from tests.bench.context import Context
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.posting import post

CONNECTIONS = 64
SECONDS = 2  # of load; by then everything is loaded, and pools and buffers have their size
PATIENCE_SECONDS = 60


def measure(context: Context) -> list[Figure]:
    """A page that several processes share counts once (PSS); beside it the sum as if none were shared (RSS)."""
    stack = context.stack
    with (
        stack.database() as database,
        stack.api(database) as api,
        stack.service("worker", database) as worker,
        stack.service("sweep", database) as sweeper,
    ):
        post(context, api, CONNECTIONS, SECONDS)
        backlog.wait_until_drained(database, PATIENCE_SECONDS)
        services = {"API, 2 processes and their master": api.child, "worker": worker, "sweeper": sweeper}
        shared = {name: mib("Pss", of_session(child.pid)) for name, child in services.items()}
        resident = sum(mib("Rss", of_session(child.pid)) for child in services.values())
    return [
        Figure(
            "memory",
            "resident memory of API (2 processes), worker and sweeper",
            Spread([sum(shared.values())], "MiB"),
            Goal(250, at_most=True),
            {name: Spread([part], "MiB") for name, part in shared.items()}
            | {"as if nothing were shared": Spread([resident], "MiB")},
        )
    ]


def of_session(leader: int) -> list[int]:
    return [process.pid for process in processes.where(lambda process: process.session == leader)]


def mib(kind: str, pids: Iterable[int]) -> float:
    return sum(_kib(kind, Path(f"/proc/{pid}/smaps_rollup")) for pid in pids) / 1024


def _kib(kind: str, file: Path) -> int:
    lines = file.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
