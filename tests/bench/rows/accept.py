"""How much of an empty route's rate is left when each answer is a durable 202."""

from contextlib import ExitStack
from functools import partial

from tests.bench.context import Context
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.rounds import interleave, ratios
from tests.bench.stack import Server
from tests.bench.wrk import Throughput, drive
from tests.submissions import VALID

CONNECTIONS = (16, 64)
GOAL = Goal(0.60)


def measure(context: Context) -> list[Figure]:
    """One figure a number of connections; a second checkout is a part of each."""
    with ExitStack() as block:
        database = block.enter_context(context.stack.database())
        servers = {
            name: block.enter_context(context.stack.api(database, checkout=checkout))
            for name, checkout in context.checkouts.items()
        }
        servers["empty"] = block.enter_context(context.stack.api(database, app="tests.bench.empty:make()"))
        for server in servers.values():
            post(server, 16, 1)
        return [compare(context, servers, connections) for connections in CONNECTIONS]


def compare(context: Context, servers: dict[str, Server], connections: int) -> Figure:
    arms = {name: partial(post, server, connections, context.seconds) for name, server in servers.items()}
    found = interleave(arms, context.rounds)
    rates = {name: [run.per_second for run in runs] for name, runs in found.items()}
    parts = {f"{name}, answers a second": Spread(samples, "/s") for name, samples in rates.items()}
    if "other" in rates:
        parts["other ÷ empty"] = ratios(rates["other"], rates["empty"])
        parts["this ÷ other"] = ratios(rates["this"], rates["other"])
    return Figure(
        f"accept-{connections}",
        f"durable 202/s ÷ empty route/s, same server and settings, {connections} connections",
        ratios(rates["this"], rates["empty"]),
        GOAL,
        parts,
    )


def post(server: Server, connections: int, seconds: int) -> Throughput:
    return drive(server.intake, server.key, VALID, connections=connections, seconds=seconds)
