"""What a client that sends more than its quota costs another one, which keeps to its own."""

import time
from contextlib import ExitStack
from itertools import chain

from tests.bench import open_loop
from tests.bench.context import Context
from tests.bench.errors import CannotMeasure
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.percentiles import p99, percentile
from tests.bench.rounds import interleave, ratios
from tests.bench.stack import WORKERS
from tests.submissions import VALID

RATE = 40  # of the client that is measured, which even one process alone would not refuse
QUOTA = 60  # of each client in each process
BURST = 200
AT_QUOTA = WORKERS * QUOTA  # of the other one
OVER_QUOTA = 3 * AT_QUOTA  # of which two thirds are refused
HEAD_START_SECONDS = 2  # after which the other one has used up its burst
POSTS = 1_600  # in a round; with 600, the ratio of one round was anything from 0.6 to 1.5
SLICES = 8  # of a round, in turns: a few slow seconds of the machine meet all three states alike
GOAL = Goal(1.1, at_most=True)


def measure(context: Context) -> list[Figure]:
    """The whole system runs, as at the row `latency`."""
    slices = 1 if context.quick else SLICES
    seconds = context.seconds if context.quick else POSTS / RATE / SLICES
    refused: dict[int, list[float]] = {AT_QUOTA: [], OVER_QUOTA: []}
    with ExitStack() as block:
        stack = context.stack
        database = block.enter_context(stack.database())
        api = block.enter_context(stack.api(database, client_rate=str(QUOTA), client_burst=str(BURST)))
        block.enter_context(stack.service("worker", database))
        block.enter_context(stack.service("sweep", database))

        def alone() -> list[float]:
            return open_loop.post(api.intake, api.key, VALID, rate=RATE, seconds=seconds)

        def beside(rate: int) -> list[float]:
            lasts = HEAD_START_SECONDS + seconds
            with open_loop.pressing(api.intake, stack.other_key, VALID, rate=rate, seconds=lasts) as shares:
                time.sleep(HEAD_START_SECONDS)
                found = alone()
            refused[rate] += shares
            return found

        alone()
        arms = {"alone": alone, "at": lambda: beside(AT_QUOTA), "over": lambda: beside(OVER_QUOTA)}
        rounds = [interleave(arms, slices) for _ in range(context.rounds)]
    found = {state: [list(chain(*each[state])) for each in rounds] for state in arms}
    if min(refused[OVER_QUOTA]) < 1 / 2:
        raise CannotMeasure("quota", "most posts over the quota were accepted", "read tests/bench/rows/quota.py")
    tails = {state: [p99(run) for run in runs] for state, runs in found.items()}
    parts = {f"beside one {state} its quota, p99": Spread(tails[state], "ms") for state in ("at", "over")}
    parts = {"alone, p99": Spread(tails["alone"], "ms"), **parts}
    parts |= {
        f"{state}, p50": Spread([percentile(run, 0.5) for run in runs], "ms") for state, runs in found.items()
    }
    parts["refused of the one over its quota"] = Spread([100 * share for share in refused[OVER_QUOTA]], "%")
    return [
        Figure(
            f"quota-{name}",
            f"p99 of 202 at {RATE}/s beside a client that sends {OVER_QUOTA}/s and may {AT_QUOTA}/s ÷ {words}",
            ratios(tails["over"], tails[below]),
            GOAL,
            parts,
        )
        for name, below, words in (
            ("excess", "at", "beside one that keeps to its quota"),
            ("alone", "alone", "alone"),
        )
    ]
