"""What Redis may cost those who send leads: nothing, up, down or hung."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from leadgen.dev.ports import LOOPBACK, free_port
from leadgen.dev.redis import BELL, EmbeddedRedis
from tests.bench import open_loop
from tests.bench.context import Context
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.percentiles import SHARES, p99, percentile
from tests.bench.rounds import interleave, ratios
from tests.bench.stack import Server
from tests.submissions import VALID

RATE = 200
POSTS = 2_200  # a sample: by chance some fewer, and more than 2,000
GOAL = Goal(1.1, at_most=True)


def measure(context: Context) -> list[Figure]:
    """Three systems, each with its own database and its own Redis, take turns."""
    seconds = context.seconds if context.quick else POSTS / RATE
    with ExitStack() as block:
        servers = {state: block.enter_context(system(context, state)) for state in ("up", "down", "hung")}
        for server in servers.values():
            open_loop.post(server.intake, server.key, VALID, rate=RATE, seconds=1)
        found = interleave(
            {
                state: partial(open_loop.post, server.intake, server.key, VALID, rate=RATE, seconds=seconds)
                for state, server in servers.items()
            },
            context.rounds,
        )
    tails = {state: [p99(run) for run in runs] for state, runs in found.items()}
    parts = {f"Redis {state}, p99": Spread(samples, "ms") for state, samples in tails.items()}
    return [
        Figure(
            f"redis-{state}",
            f"p99 of 202 with Redis {state} ÷ with Redis up, open loop, {len(found['up'][0]):,} posts a round",
            ratios(tails[state], tails["up"]),
            GOAL,
            parts,
            {f"Redis {name}": tail(runs) for name, runs in found.items()},
        )
        for state in ("down", "hung")
    ]


@contextmanager
def system(context: Context, state: str) -> Iterator[Server]:
    """API and sweeper on a Redis in that state; a worker, too, where it could do anything."""
    stack = context.stack
    with ExitStack() as block:
        database = block.enter_context(stack.database())
        url = {
            "up": lambda: stack.redis.url(BELL),
            "down": lambda: f"redis://{LOOPBACK}:{free_port()}/0",
            "hung": lambda: block.enter_context(hung_redis(context)),
        }[state]()
        server = block.enter_context(stack.api(database, redis_url=url))
        block.enter_context(stack.service("sweep", database))
        if state == "up":
            block.enter_context(stack.service("worker", database))
        yield server


@contextmanager
def hung_redis(context: Context) -> Iterator[str]:
    """One that takes connections and never answers: stopped in its tracks."""
    redis = EmbeddedRedis(context.stack.folder / "hung-redis")
    redis.start()
    try:
        for process in redis.processes():
            process.signal(signal.SIGSTOP)
        yield redis.url(BELL)
    finally:
        redis.stop()


def tail(runs: list[list[float]]) -> list[tuple[float, float]]:
    """Percentiles over all rounds: (share, milliseconds)."""
    together = [latency for run in runs for latency in run]
    return [(share, percentile(together, share)) for share in SHARES]
