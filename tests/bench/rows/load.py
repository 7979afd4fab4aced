"""Latency at rising load: from which pace on people are kept waiting."""

from tests.bench import open_loop
from tests.bench.context import Context
from tests.bench.errors import CannotMeasure
from tests.bench.figures import Figure, Spread
from tests.bench.percentiles import p99, percentile
from tests.bench.rounds import order
from tests.bench.stack import Server
from tests.submissions import VALID

PACES = (50, 100, 200, 300, 400, 600, 800, 1_000, 1_300, 1_600, 2_000)
KEPT_MS = 50  # a pace counts as kept while p99 stays below this
SECONDS = 3  # a pace; there are many
LOST_MS = 500  # no faster pace is tried in a round: its posts would only pile up

Point = tuple[int, float, float]  # pace, p50, p99


def measure(context: Context) -> list[Figure]:
    """API alone on either side: what drains is ours only."""
    with context.stack.ours_and_fastapi() as servers:
        climbs: dict[str, list[list[Point]]] = {name: [] for name in servers}
        for name in order(list(servers), context.rounds):
            climbs[name].append(climb(servers[name], min(context.seconds, SECONDS)))
    kept = {name: Spread([highest(points) for points in runs], "/s") for name, runs in climbs.items()}
    return [
        Figure(
            "load",
            f"highest pace, open loop, at which p99 of 202 stays below {KEPT_MS} ms",
            kept["ours"],
            parts={"FastAPI": kept["FastAPI"]},
            series={
                f"{name}, {share}": line(runs, place)
                for name, runs in climbs.items()
                for place, share in ((1, "p50"), (2, "p99"))
            },
        )
    ]


def climb(server: Server, seconds: int) -> list[Point]:
    """Each pace in turn, until the server falls behind."""
    open_loop.post(server.intake, server.key, VALID, rate=PACES[0], seconds=1)
    points: list[Point] = []
    for pace in PACES:
        try:
            found = open_loop.post(server.intake, server.key, VALID, rate=pace, seconds=seconds)
        except CannotMeasure:  # a 503 is a server's honest word for "too much"
            break
        points.append((pace, percentile(found, 0.5), p99(found)))
        if points[-1][2] > LOST_MS:
            break
    return points


def highest(points: list[Point]) -> float:
    """The highest pace that was kept, 0 without one; a slower one that was not had met a hiccup."""
    return max((pace for pace, _, tail in points if tail <= KEPT_MS), default=0)


def line(runs: list[list[Point]], place: int) -> list[tuple[float, float]]:
    """Medians over the rounds, as far as all of them came."""
    return [
        (pace, Spread([point[place] for point in points]).median)
        for pace in PACES
        if len(points := [point for run in runs for point in run if point[0] == pace]) == len(runs)
    ]
