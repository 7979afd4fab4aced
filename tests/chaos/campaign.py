"""One campaign: load and faults in parallel, then heal, retry the unknown outcomes, drain and compare."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadgen.dev.errors import CannotStart
from tests.chaos import rows, verdicts
from tests.chaos.client import Client
from tests.chaos.disk import Disk, obstacle
from tests.chaos.faults import possible
from tests.chaos.ledger import Ledger, read
from tests.chaos.load import Load, Result
from tests.chaos.reckoning import Reckoning, reckon
from tests.chaos.schedule import Step, plan
from tests.chaos.secrecy import leaks
from tests.chaos.stack import Stack
from tests.chaos.verdicts import Window
from tests.chaos.watcher import Watcher

GREEN_SECONDS: Final = 60.0
GIVE_UP_SECONDS: Final = 60.0
SHORT_SECONDS: Final = 10.0  # what a fault may last in a campaign of minutes
LONG_SECONDS: Final = 60.0  # and in one of so many faults, or of a given time
LONG_FAULTS: Final = 200
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Orders:
    """The options. With `minutes` faults continue for that time, otherwise there are `faults` of them."""

    seed: int
    requests: int
    faults: int
    minutes: float
    rate: float
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `broken` has, by its name, what broke each rule."""

    orders: Orders
    reckoning: Reckoning
    windows: list[Window]
    results: list[Result]
    seconds: float
    broken: dict[str, list[str]]

    @property
    def red(self) -> bool:
        return any(self.broken.values())


def conduct(orders: Orders, report: Callable[[str], None]) -> Outcome:
    """A campaign on its own system, whose folder is kept if a rule was broken. Raises CannotStart."""
    folder = new_folder()
    report(f"seed {orders.seed}; ledger and logs are in {folder}, and stay there if a rule is broken")
    with ExitStack() as last:
        if reason := obstacle():
            report(f"without power cuts: {reason}")
        disk = None if reason else last.enter_context(Disk(folder / "disk"))
        stack = last.enter_context(Stack(folder / "system", disk=disk))
        outcome = Campaign(stack, folder, orders, report).run()
    if not outcome.red:
        shutil.rmtree(folder)
    return outcome


def new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="leadgen-chaos-"))
    folder.chmod(0o711)  # as root, PostgreSQL's user has to reach its data
    return folder


class Campaign:
    def __init__(self, stack: Stack, folder: Path, orders: Orders, report: Callable[[str], None]) -> None:
        """`folder` is the client's own: the system knows nothing of it."""
        self._stack = stack
        self._file = folder / "ledger"
        self._orders = orders
        self._report = report
        self._ledger = Ledger(self._file)
        self._client = Client(stack.api_port, stack.place.api_key())
        self._watcher = Watcher(self._client)
        self._load = Load(self._client, self._ledger, orders.seed, orders.rate)
        self._windows: list[Window] = []
        self._began = time.monotonic()

    def run(self) -> Outcome:
        """Raises CannotStart when the system does not even begin to work."""
        with closing(self._client):
            if not self._wait_until_green():
                raise CannotStart("system", f"it is not well after {GREEN_SECONDS:g} s", "read its logs")
            self._watcher.start()
            self._load.start()
            try:
                for step in self._steps():
                    self._do(step)
                while self._load.sent < self._orders.requests:
                    time.sleep(POLL_SECONDS)
            finally:
                self._load.stop()  # also after Ctrl-C: it would go on sending
            return self._judge()

    def _steps(self) -> Iterator[Step]:
        """As many as are wanted, or as long as time is left."""
        long = self._orders.minutes or self._orders.faults >= LONG_FAULTS
        names = self._orders.only or possible(self._stack, LONG_SECONDS if long else SHORT_SECONDS)
        done = 0
        for step in plan(self._orders.seed, names):
            over = time.monotonic() - self._began > self._orders.minutes * 60
            if over and (self._orders.minutes or done >= self._orders.faults):
                return
            done += len(step.kinds)
            yield step

    def _do(self, step: Step) -> None:
        """Inject, wait, heal, and wait until submissions are steady again."""
        time.sleep(step.pause_seconds)
        window = Window(step.kinds, injected=time.monotonic())
        self._windows.append(window)
        opened = {kind: kind.act(self._stack, self._load) for kind in step.kinds}
        for done in opened.values():
            window.spared |= done.__enter__() or set()
        window.done = time.monotonic()
        time.sleep(max(kind.seconds for kind in step.kinds))
        window.healing = time.monotonic()
        for kind in step.healed:
            opened[kind].__exit__(None, None, None)
        window.healed = time.monotonic()
        self._wait_until_steady(window.healed)
        window.steady = time.monotonic()
        self._report(f"{window}: steady {window.steady - window.healed:.1f} s after")

    def _wait_until_steady(self, since: float) -> None:
        until = since + GIVE_UP_SECONDS
        while not self._load.is_steady(since) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def _wait_until_green(self) -> bool:
        until = time.monotonic() + GREEN_SECONDS
        while not self._watcher.look().green:
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _judge(self) -> Outcome:
        """Settle unknown outcomes, wait until everything is at rest, and compare all answers with the database."""
        results, windows = verdicts.in_order(self._load.results), self._windows
        unknown = self._load.unknown()
        self._report(f"retrying {len(unknown)} requests with an unknown outcome")
        never = self._load.retry(unknown)
        with closing(self._stack.superuser()) as connection:
            drained = rows.drained(connection, verdicts.DRAINED_SECONDS)
            green = self._wait_until_green()
            self._watcher.stop()
            self._ledger.close()
            reckoning = reckon(read(self._file), rows.stored(connection), rows.rest(connection))
        looks = self._watcher.looks
        shown = [*self._watcher.texts, *(result.answer.text for result in results)]
        return Outcome(
            orders=self._orders,
            reckoning=reckoning,
            windows=windows,
            results=results,
            seconds=time.monotonic() - self._began,
            broken={
                "durable, once": reckoning.faults + [f"{key}: never accepted" for key in never],
                "honest": [
                    *verdicts.dishonest(results, windows),
                    *verdicts.slow_to_refuse(results),
                    *verdicts.unsafe(results, windows),
                ],
                "isolated": list(verdicts.not_isolated(results, windows)),
                "back": list(verdicts.slow_to_come_back(windows)),
                "drains": [
                    *verdicts.slow_to_drain(looks),
                    *(["the queue is not empty"] if drained is None else []),
                ],
                "visible": [
                    *verdicts.invisible(looks, windows),
                    *([] if green else [f"health is not green again: {looks[-1].health}"]),
                ],
                "private": list(leaks(self._stack.place.folder, shown, self._stack.secrets)),
                "client": self._load.errors,
            },
        )
