"""How much of an empty route's rate is left when each answer is a durable 202."""

from contextlib import ExitStack

from tests.bench.context import Context
from tests.bench.figures import Figure, Goal
from tests.bench.posting import CONNECTIONS, parts, race, rates
from tests.bench.rounds import ratios
from tests.bench.stack import Server

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
        return [compare(context, servers, connections) for connections in CONNECTIONS]


def compare(context: Context, servers: dict[str, Server], connections: int) -> Figure:
    found = race(context, servers, connections)
    made_of = parts(found)
    if "other" in found:
        made_of["other ÷ empty"] = ratios(rates(found["other"]), rates(found["empty"]))
        made_of["this ÷ other"] = ratios(rates(found["this"]), rates(found["other"]))
    return Figure(
        f"accept-{connections}",
        f"durable 202/s ÷ empty route/s, same server and settings, {connections} connections",
        ratios(rates(found["this"]), rates(found["empty"])),
        GOAL,
        made_of,
    )
