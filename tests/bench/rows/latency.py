"""What an answer takes beyond the commit itself, at a pace of 200 a second."""

from contextlib import ExitStack

from tests.bench import open_loop, pgbench
from tests.bench.context import Context
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.percentiles import p99, percentile
from tests.bench.rounds import differences, interleave
from tests.submissions import VALID

RATE = 200
GOAL = Goal(3, at_most=True)


def measure(context: Context) -> list[Figure]:
    """The whole system runs: what drains the queue takes its share of the machine, and a client meets that."""
    with ExitStack() as block:
        database = block.enter_context(context.stack.database())
        bare = block.enter_context(context.stack.database())
        server = block.enter_context(context.stack.api(database))
        block.enter_context(context.stack.service("worker", database))
        block.enter_context(context.stack.service("sweep", database))
        seconds = context.seconds if context.quick else 2 * context.seconds
        open_loop.post(server.intake, server.key, VALID, rate=RATE, seconds=1)
        found = interleave(
            {
                "202": lambda: open_loop.post(server.intake, server.key, VALID, rate=RATE, seconds=seconds),
                "bare commit": lambda: pgbench.latencies(bare, rate=RATE, seconds=seconds),
            },
            context.rounds,
        )
    tails = {name: [p99(run) for run in runs] for name, runs in found.items()}
    middles = {
        f"{name}, p50": Spread([percentile(run, 0.5) for run in runs], "ms") for name, runs in found.items()
    }
    return [
        Figure(
            "latency",
            f"p99 of 202 at {RATE}/s, open loop minus p99 of the bare commit at the same pace",
            differences(tails["202"], tails["bare commit"], "ms"),
            GOAL,
            {f"{name}, p99": Spread(samples, "ms") for name, samples in tails.items()} | middles,
        )
    ]
