"""How much of an empty route's rate is left when each answer is a durable 202."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.bench import cpu
from tests.bench.context import Context
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.rounds import interleave, ratios
from tests.bench.stack import Server
from tests.bench.wrk import drive
from tests.submissions import VALID

CONNECTIONS = (16, 64)
GOAL = Goal(0.60)


@dataclass(frozen=True)
class Run:
    """One sample: answers a second, and milliseconds of processor time that the server's processes took for each."""

    rate: float
    cpu_ms: float


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
    for server in servers.values():
        post(server, connections, 1)
    arms = {name: partial(post, server, connections, context.seconds) for name, server in servers.items()}
    found = interleave(arms, context.rounds)
    rates = {name: [run.rate for run in runs] for name, runs in found.items()}
    parts = {name: Spread(samples, "/s") for name, samples in rates.items()}
    parts |= {f"{name}, CPU": Spread([run.cpu_ms for run in runs], "ms each") for name, runs in found.items()}
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


def post(server: Server, connections: int, seconds: int) -> Run:
    before = cpu.of_session(server.child.pid)
    done = drive(server.intake, server.key, VALID, connections=connections, seconds=seconds)
    return Run(done.per_second, (cpu.of_session(server.child.pid) - before) * 1000 / done.answered)
