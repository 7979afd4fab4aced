"""`python -m tests.chaos.failover`: cut short what waits for a standby, lose the leader, and count the leads.

The stream to the standby is cut first, so that commits wait for it. Then these waits are ended in one of three
ways, the leader is lost for good, and the standby takes its place. Every lead that got a 202 must be there.
"""

import logging
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias

import click
from flask import Flask

from leadgen.api.app import create_app
from leadgen.api.services import services_of
from leadgen.config import Config
from leadgen.store.intake_writer import PATIENCE_SECONDS
from tests.chaos.leads import dice
from tests.chaos.pair import WAITING, Model, Pair, kill, make_model
from tests.integration.api.caller import Caller, CountingDoorbell
from tests.integration.service import until

Kind: TypeAlias = Literal["cancel", "terminate", "crash", "names emptied"]

CLIENTS: Final = 12
DOUBTERS: Final = 3
WARM: Final = 24  # leads before the stream is cut
AFTER: Final = 12  # leads that the survivor has to take
BREATH_SECONDS: Final = 0.05  # shorter than any Retry-After: a run is over in seconds
# Until there is a new leader. What a writer still holds by then makes up for a loss; later it has given up.
AWAY_SECONDS: Final = (PATIENCE_SECONDS + 0.5, 0.0)
TOOK_OVER_SECONDS: Final = 30
KEYLESS: Final = 0.2  # how many leads have no key, as a share


@dataclass
class Ledger:
    """What clients know: which submissions are under way, and which got a 202."""

    under_way: set[str] = field(default_factory=set)
    acknowledged: list[str] = field(default_factory=list)
    replayed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    acknowledged: int
    replayed: int
    lost: int
    took_over: bool
    """Whether the survivor took new leads."""


class Clients:
    """They repeat each lead with its key until it gets a 202; some of them do not wait for the answer."""

    def __init__(self, app: Flask, stricter: Flask, key: str, seed: int) -> None:
        self.ledger = Ledger()
        self._caller, self._doubter = Caller(app, key), Caller(stricter, key)
        self._seed = seed
        self._ending = threading.Event()

    @contextmanager
    def busy(self, doubters: int) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS + doubters) as pool:
            jobs = [pool.submit(self._send, number) for number in range(CLIENTS)]
            jobs += [pool.submit(self._doubt, number) for number in range(doubters)]
            try:
                yield
            finally:
                self._ending.set()
            for job in jobs:
                job.result()

    def _send(self, number: int) -> None:
        chance = dice(f"{self._seed}-{number}")
        while not self._ending.is_set():
            if chance.random() < KEYLESS:
                self._post(self._caller, None)
            else:
                key = f"{number}-{chance.getrandbits(64)}"
                self.ledger.under_way.add(key)
                while key in self.ledger.under_way and not self._ending.is_set():
                    self._post(self._caller, key)
                    time.sleep(BREATH_SECONDS)
            time.sleep(chance.uniform(0, BREATH_SECONDS))

    def _doubt(self, number: int) -> None:
        """Ask again for a lead that is under way, at a process whose rules refuse it: it looks up the key."""
        chance = dice(f"{self._seed}-doubter-{number}")
        while not self._ending.is_set():
            if keys := sorted(self.ledger.under_way.copy()):
                self._post(self._doubter, chance.choice(keys))
            time.sleep(BREATH_SECONDS)

    def _post(self, caller: Caller, key: str | None) -> bool:
        answer = caller.post(key=key)
        if answer.status_code != 202:
            return False
        if key:
            self.ledger.under_way.discard(key)
        self.ledger.acknowledged.append(answer.get_json()["intake_id"])
        self.ledger.replayed += "Idempotency-Replayed" in answer.headers
        return True


def run(model: Model, kind: Kind, seed: int, *, copies: int = 1, doubters: int = DOUBTERS) -> Outcome:
    """One loss of a leader. The seed decides what is sent, and when things happen."""
    chance = dice(seed)
    folder = Path(tempfile.mkdtemp(dir=model.folder))
    with (
        Pair(folder, model) as pair,
        _serve(pair, model, copies, "TX") as app,
        _serve(pair, model, copies, "OK") as stricter,
    ):
        clients = Clients(app, stricter, model.place.api_key(), seed)
        known = clients.ledger.acknowledged
        with clients.busy(doubters):
            assert until(lambda: len(known) > WARM)
            FAULTS[kind](pair, chance)
            pair.lose_leader()
            before = len(known)
            time.sleep(AWAY_SECONDS[seed % 2])
            pair.promote()
            took_over = copies == 1 and until(lambda: len(known) > before + AFTER, TOOK_OVER_SECONDS)
        with pair.superuser(pair.standby) as superuser:
            rows = {str(row) for (row,) in superuser.execute("SELECT intake_id FROM app.intake_jobs")}
    shutil.rmtree(folder)
    return Outcome(len(known), clients.ledger.replayed, len(set(known) - rows), took_over)


@contextmanager
def _serve(pair: Pair, model: Model, copies: int, state: str) -> Iterator[Flask]:
    """An API in this process that serves one state, without a worker: leads stay in the queue."""
    config = Config(
        database_url=pair.api_url,
        database_copies=copies,
        redis_url="redis://127.0.0.1:1",
        api_keys_file=model.place.api_keys_file,
        service_area_states=frozenset({state}),
    )
    app = create_app(config, CountingDoorbell())
    yield app
    services_of(app).close()


def _end_waits(statement: str) -> Callable[[Pair, Random], None]:
    def end(pair: Pair, chance: Random) -> None:
        pair.stream.blackhole()
        assert until(pair.count_waiting)
        with pair.superuser(pair.leader) as superuser:
            for _ in range(5):
                time.sleep(chance.uniform(0.1, 0.3))
                superuser.execute(f"SELECT {statement}(pid) {WAITING}")
        time.sleep(chance.uniform(0, 0.2))

    return end


def _crash(pair: Pair, chance: Random) -> None:
    """The leader restarts and finds the commits in its own WAL: they look like any other.

    The first time a batch has rows of both kinds, and waits for the new ones; the second time all are old.
    """
    pair.stream.blackhole()
    assert until(pair.count_waiting)
    for _ in range(2):
        time.sleep(chance.uniform(0.1, 0.3))
        kill(pair.leader)
        pair.leader.start()
        assert until(lambda: pair.count_sessions("api-writer"))
        time.sleep(chance.uniform(0.3, 0.6))


def _empty_names(pair: Pair, chance: Random) -> None:
    """The leader stops waiting for anyone; a second later, when each writer has noticed, the stream is cut."""
    pair.wait_for("")
    time.sleep(chance.uniform(1.5, 2.0))
    pair.stream.blackhole()
    time.sleep(chance.uniform(0.5, 1.0))


FAULTS: Final[dict[Kind, Callable[[Pair, Random], None]]] = {
    "cancel": _end_waits("pg_cancel_backend"),
    "terminate": _end_waits("pg_terminate_backend"),
    "crash": _crash,
    "names emptied": _empty_names,
}
# All but the last, for which the setting of two copies is the guard.
KINDS: Final[tuple[Kind, ...]] = ("cancel", "terminate", "crash")


@click.command(help=__doc__)
@click.option("--seeds", default=20, show_default=True, help="how many runs of each kind")
@click.option("--first", default=1, show_default=True, help="the first seed")
def failover(seeds: int, first: int) -> None:
    logging.disable(logging.CRITICAL)  # hundreds of requests are refused, on purpose
    bad = 0
    with tempfile.TemporaryDirectory(prefix="leadgen-failover-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run as another user
        model = make_model(folder / "model")
        for seed in range(first, first + seeds):
            for kind in KINDS:
                outcome = run(model, kind, seed)
                bad += bool(outcome.lost) or not outcome.took_over
                click.echo(f"seed {seed:3} {kind:10} {outcome}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    failover()
