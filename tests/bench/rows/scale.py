"""Whether a million rows slow it down, done or still queued: draining and accepting, beside empty tables."""

import time
from contextlib import ExitStack
from functools import partial
from itertools import islice

from leadgen.jobs.batches import drain_batches
from leadgen.jobs.drain import BATCHES_PER_JOB
from leadgen.store.connection import connect
from leadgen.store.queue import BATCH
from tests.bench import backlog
from tests.bench.context import Context
from tests.bench.errors import CannotMeasure
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.posting import CONNECTIONS, post
from tests.bench.rounds import interleave, order, ratios
from tests.conftest import Database

ROWS = 1_000_000
QUICK_ROWS = 50_000
JOBS = 6  # that the worker would do, a round: short enough to take turns, so that a slow second meets all
GOAL = Goal(0.9)
NAMES = ("done", "queued")


def measure(context: Context) -> list[Figure]:
    with ExitStack() as block:
        databases = {name: block.enter_context(context.stack.database()) for name in ("empty", *NAMES)}
        rows = QUICK_ROWS if context.quick else ROWS
        for name in NAMES:
            backlog.accept(databases[name], rows)
        backlog.make_leads(databases["done"])
        for database in databases.values():
            backlog.tidy(database)
        drained = interleaved_drains(databases, context.rounds)
        accepted = interleaved_posts(context, databases)
    return [
        Figure(
            f"scale-{what}-{name}",
            f"{words} with {rows:,} rows {name} ÷ with empty tables",
            ratios(found[name], found["empty"]),
            GOAL,
            {arm: Spread(samples, unit) for arm, samples in found.items()},
        )
        for what, words, unit, found in (
            ("drain", "drain rate", "leads/s", drained),
            ("accept", "durable 202/s", "/s", accepted),
        )
        for name in NAMES
    ]


def interleaved_drains(databases: dict[str, Database], rounds: int) -> dict[str, list[float]]:
    """Leads per second, measured over one worker job at a time; `empty` starts each round without rows."""
    leads = JOBS * BATCHES_PER_JOB * BATCH
    found: dict[str, list[float]] = {name: [] for name in databases}
    for _ in range(rounds):
        backlog.clear(databases["empty"])
        for database in databases.values():
            backlog.accept(database, leads + BATCH)
            backlog.tidy(database)
        for name, seconds in take_turns(databases).items():
            found[name].append(leads / seconds)
    return found


def take_turns(databases: dict[str, Database]) -> dict[str, float]:
    """Seconds that JOBS jobs took each database."""
    with ExitStack() as block:
        connections = {
            name: block.enter_context(connect(database.app_url, "bench")) for name, database in databases.items()
        }
        for connection in connections.values():
            next(drain_batches(connection))  # a session's first statement reads the catalogue
        taken = dict.fromkeys(databases, 0.0)
        for name in order(list(databases), JOBS):
            began = time.perf_counter()
            leads = sum(batch.leads for batch in islice(drain_batches(connections[name]), BATCHES_PER_JOB))
            taken[name] += time.perf_counter() - began
            if leads != BATCHES_PER_JOB * BATCH:
                raise CannotMeasure("drain", f"a job made {leads} leads", "look for who else drains")
    return taken


def interleaved_posts(context: Context, databases: dict[str, Database]) -> dict[str, list[float]]:
    """Answers a second. What warms up takes a whole sample: a page is logged whole at its first change."""
    with ExitStack() as block:
        servers = {name: block.enter_context(context.stack.api(database)) for name, database in databases.items()}

        def rate(name: str) -> float:
            if name == "empty":
                backlog.clear(databases[name])
            return post(context, servers[name], CONNECTIONS[-1]).rate

        for server in servers.values():
            post(context, server, CONNECTIONS[-1], context.seconds)
        return interleave({name: partial(rate, name) for name in databases}, context.rounds)
