"""Our durable 202 beside the one of FastAPI, asyncpg and uvicorn."""

from contextlib import ExitStack

from tests.bench.context import Context
from tests.bench.figures import Figure, Goal
from tests.bench.posting import CONNECTIONS, parts, race, rates
from tests.bench.rounds import ratios
from tests.bench.stack import Server

GOAL = Goal(1.5)


def measure(context: Context) -> list[Figure]:
    """Each on a database of its own, so that neither finds the other's rows in its tables."""
    with ExitStack() as block:
        ours, theirs = (block.enter_context(context.stack.database()) for _ in range(2))
        servers = {
            "ours": block.enter_context(context.stack.api(ours)),
            "FastAPI": block.enter_context(context.stack.fastapi(theirs)),
        }
        return [compare(context, servers, connections) for connections in CONNECTIONS]


def compare(context: Context, servers: dict[str, Server], connections: int) -> Figure:
    found = race(context, servers, connections)
    return Figure(
        f"fastapi-{connections}",
        f"durable 202/s ÷ the same by FastAPI, asyncpg and uvicorn, {connections} connections",
        ratios(rates(found["ours"]), rates(found["FastAPI"])),
        GOAL,
        parts(found),
    )
