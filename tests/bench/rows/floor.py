"""How much of the bare statement's rate is left, with HTTP, validation and Python around it."""

from functools import partial
from typing import TYPE_CHECKING

from tests.bench import pgbench
from tests.bench.context import Context
from tests.bench.figures import Figure, Spread
from tests.bench.posting import post
from tests.bench.rounds import interleave, ratios

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = 32
CONNECTIONS = 64


def measure(context: Context) -> list[Figure]:
    """No goal: pgbench has nothing to read, check or answer, and only shows the floor."""
    with context.stack.database() as database, context.stack.api(database) as server:
        post(context, server, CONNECTIONS, 1)
        arms: dict[str, Callable[[], float]] = {
            "202": lambda: post(context, server, CONNECTIONS).rate,
            **{
                f"pgbench, {clients} clients": partial(
                    pgbench.per_second, database, clients=clients, seconds=context.seconds
                )
                for clients in (16, CLIENTS)
            },
        }
        found = interleave(arms, context.rounds)
    return [
        Figure(
            "floor",
            f"durable 202/s, {CONNECTIONS} connections ÷ the same statement in pgbench, {CLIENTS} clients",
            ratios(found["202"], found[f"pgbench, {CLIENTS} clients"]),
            parts={name: Spread(samples, "/s") for name, samples in found.items()},
        )
    ]
