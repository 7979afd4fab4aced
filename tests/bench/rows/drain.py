"""How fast one worker turns a backlog into leads, beside queues that run a job for each."""

import os
import subprocess
from dataclasses import dataclass
from functools import partial

from redis import Redis

from leadgen.dev.child import last_lines
from leadgen.dev.redis import BELL, OPERATOR
from tests.bench import backlog
from tests.bench.context import Context
from tests.bench.errors import CannotMeasure
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.rounds import interleave, ratios
from tests.bench.stack import PROJECT
from tests.conftest import Database

BACKLOG = 100_000
QUICK_BACKLOG = 20_000
PATIENCE_SECONDS = 120
PEERS = PROJECT / "tests/bench/peers"


@dataclass(frozen=True)
class Peer:
    """A program in peers/ and the word that starts its worker; `count` keeps it busy for some seconds or more."""

    program: str
    work: str
    count: int
    goal: Goal | None = None


THEIRS = {
    "procrastinate": Peer("procrastinate_leads.py", "work", 5_000, Goal(10)),
    "pgqueuer": Peer("pgqueuer_leads.py", "work", 20_000, Goal(10)),
    "RQ": Peer("rq_leads.py", "simple", 2_000),
    "RQ with a fork for each job": Peer("rq_leads.py", "fork", 300),
}


def measure(context: Context) -> list[Figure]:
    """The peers' jobs are fewer, as they would take minutes; what grows with the number favours them."""
    count = QUICK_BACKLOG if context.quick else BACKLOG
    peers = {} if context.quick else THEIRS
    arms = {"ours": partial(ours, context, count)}
    arms |= {name: partial(theirs, context, peer) for name, peer in peers.items()}
    found = interleave(arms, context.rounds)
    parts = {name: Spread(samples, "leads/s") for name, samples in found.items()}
    own = Figure("drain", f"leads/s by one worker from a backlog of {count:,}", parts["ours"], Goal(15_000), parts)
    return [own] + [
        Figure(
            f"drain-{peer.program.removesuffix('_leads.py')}-{peer.work}",
            f"leads/s by one worker ÷ {name}, a job for each lead",
            ratios(found["ours"], found[name]),
            peer.goal,
            {"ours": parts["ours"], name: parts[name]},
        )
        for name, peer in peers.items()
    ]


def ours(context: Context, count: int) -> float:
    """`leadgen worker`, idle until it is rung once."""
    with context.stack.database() as database:
        _prepare(context, database, count)
        with context.stack.service("worker", database):
            bell = backlog.wait_for_worker(context.stack.redis.url(BELL))
            bell.ring()
            bell.close()
            return backlog.rate(database, count, PATIENCE_SECONDS)


def theirs(context: Context, peer: Peer) -> float:
    """A peer's worker, on jobs that were all queued before it starts."""
    with context.stack.database() as database:
        environ = os.environ | {
            "PYTHONPATH": str(PROJECT),
            "DATABASE_URL": database.superuser_url,
            "REDIS_URL": context.stack.redis.url(OPERATOR),
        }
        _prepare(context, database, peer.count)
        command = [str(PROJECT / ".bench/bin/python"), "-P", str(PEERS / peer.program)]
        subprocess.run([*command, "fill"], env=environ, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
        with context.stack.program([*command, peer.work], environ, peer.program):
            try:
                return backlog.rate(database, peer.count, PATIENCE_SECONDS)
            except CannotMeasure as error:
                log = last_lines(context.stack.log(peer.program))
                raise CannotMeasure(
                    peer.program, f"it did not make {peer.count} leads in time:{log}\n", "run it by hand"
                ) from error


def _prepare(context: Context, database: Database, count: int) -> None:
    with Redis.from_url(context.stack.redis.url(OPERATOR)) as redis:
        redis.flushall()
    backlog.accept(database, count)
    backlog.tidy(database)
