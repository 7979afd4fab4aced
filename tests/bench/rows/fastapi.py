"""Our durable 202 beside the one of FastAPI, asyncpg and uvicorn."""

from tests.bench.context import Context
from tests.bench.figures import Figure, Goal
from tests.bench.posting import CONNECTIONS, parts, race, rates
from tests.bench.rounds import ratios
from tests.bench.stack import Server

GOAL = Goal(1.5)


def measure(context: Context) -> list[Figure]:
    with context.stack.ours_and_fastapi() as servers:
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
