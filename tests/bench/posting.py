"""Servers side by side, each answering posts as fast as it can."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import psycopg

from tests.bench import cpu
from tests.bench.context import Context
from tests.bench.errors import CannotMeasure
from tests.bench.figures import Spread
from tests.bench.rounds import interleave
from tests.bench.stack import Server
from tests.bench.wrk import drive
from tests.submissions import VALID

CONNECTIONS = (16, 64)


@dataclass(frozen=True)
class Run:
    """Answers a second, and milliseconds of processor time for each: the server's and PostgreSQL's."""

    rate: float
    cpu_ms: float
    postgres_ms: float


def race(context: Context, servers: Mapping[str, Server], connections: int) -> dict[str, list[Run]]:
    """Each server's samples, taken in turns after a second of warming up."""
    for server in servers.values():
        post(context, server, connections, 1)
    arms = {name: partial(post, context, server, connections) for name, server in servers.items()}
    return interleave(arms, context.rounds)


def post(context: Context, server: Server, connections: int, seconds: int | None = None) -> Run:
    rows, before = _rows(server), _cpu(context, server)
    done = drive(server.intake, server.key, VALID, connections=connections, seconds=seconds or context.seconds)
    taken = [
        (later - earlier) * 1000 / done.answered
        for earlier, later in zip(before, _cpu(context, server), strict=True)
    ]
    if server.database and (stored := _rows(server) - rows) < done.answered:
        raise CannotMeasure(
            server.intake, f"{done.answered} posts were answered 202, and {stored} rows stored", "fix that first"
        )
    return Run(done.per_second, *taken)


def _rows(server: Server) -> int:
    if server.database is None:
        return 0
    with psycopg.connect(server.database.owner_url) as connection:
        (count,) = connection.execute("SELECT count(*) FROM app.intake_jobs").fetchone() or (0,)
    return int(count)


def _cpu(context: Context, server: Server) -> tuple[float, float]:
    postgres = (process.pid for process in context.stack.postgres.processes())
    return cpu.of_session(server.child.pid), cpu.of(postgres)


def rates(runs: list[Run]) -> list[float]:
    return [run.rate for run in runs]


def parts(found: Mapping[str, list[Run]]) -> dict[str, Spread]:
    """What a ratio was made of."""
    spreads = {name: Spread(rates(runs), "/s") for name, runs in found.items()}
    for name, runs in found.items():
        spreads[f"{name}, CPU"] = Spread([run.cpu_ms for run in runs], "ms each")
        spreads[f"{name}, CPU of PostgreSQL"] = Spread([run.postgres_ms for run in runs], "ms each")
    return spreads
