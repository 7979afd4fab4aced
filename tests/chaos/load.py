"""The load: leads at a fixed rate, independent of response times, with retries and invalid bodies."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from tests.chaos.client import Answer, Client
from tests.chaos.leads import SPOILT, STRICT, dice, digest, make_key, make_lead, spoil
from tests.chaos.ledger import Attempt, Ledger, Wanted

CALLERS: Final = 1_000  # who may be waiting at one time
REMEMBERED: Final = 5_000  # keys that may be sent again later
RETRIERS: Final = 16
RETRY_SECONDS: Final = 0.2
RETRIES_SECONDS: Final = 90.0
STEADY_SECONDS: Final = 1.0  # of submissions, all of them accepted
SETTLING_SECONDS: Final = 0.5  # requests sent more recently than this may still wait

# How many of a hundred requests are not a new lead: sent twice at once, repeated later, another body, not a lead.
TWICE, AGAIN, OTHER, SPOILT_ONES = range(1, 5), range(5, 10), range(10, 12), range(12, 17)


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt that is over, with the whole answer."""

    attempt: Attempt
    answer: Answer

    @property
    def accepted(self) -> bool:
        return self.attempt.acknowledged


class Load:
    """Sends through one client, and writes down each request before it leaves and each answer when it came."""

    def __init__(self, client: Client, ledger: Ledger, seed: int, rate: float) -> None:
        self.results: list[Result] = []
        """In the order in which they ended."""
        self.errors: list[str] = []
        """What went wrong with the client itself."""
        self.sent = 0
        self._client = client
        self._ledger = ledger
        self._chance = dice(("load", seed))
        self._rate = rate
        self._numbers = count(1)
        self._earlier: deque[str] = deque(maxlen=REMEMBERED)
        self._accepted: deque[str] = deque(maxlen=REMEMBERED)
        self._ending = threading.Event()
        self._waiting: dict[int, float] = {}
        self._callers = ThreadPoolExecutor(CALLERS, thread_name_prefix="caller")
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send no more; return when all answers are there."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._callers.shutdown()

    def send(self, key: str, *, edition: int = 0, how: str | None = None) -> Result:
        """Post the lead of a key, or that lead spoilt, and wait for the answer."""
        lead = make_lead(key, edition)
        wanted: Wanted = "refuse" if edition or how else "accept"
        attempt = Attempt(next(self._numbers), key, digest(lead), wanted, time.monotonic())
        self._ledger.send(attempt)
        self._waiting[attempt.number] = attempt.sent
        body = spoil(lead, how) if how else json.dumps(lead).encode()
        answer = self._client.post(key, body, strict=how == STRICT)
        attempt = replace(attempt, answered=time.monotonic(), status=answer.status, intake_id=answer.intake_id)
        self._ledger.answer(attempt)
        result = Result(attempt, answer)
        self.results.append(result)
        del self._waiting[attempt.number]
        if result.accepted:
            self._accepted.append(key)
        return result

    def is_steady(self, since: float) -> bool:
        """Whether for a second after that moment every valid lead has been accepted."""
        now = time.monotonic()
        end = now - SETTLING_SECONDS
        start = end - STEADY_SECONDS
        late = any(sent < end for sent in list(self._waiting.values()))
        asked = [result for result in self._results_since(start) if result.attempt.wanted == "accept"]
        return start >= since and not late and bool(asked) and all(result.accepted for result in asked)

    def unknown(self) -> list[str]:
        """The keys of valid leads that were never accepted: it is unknown whether they are stored."""
        asked = {result.attempt.key: None for result in self.results if result.attempt.wanted == "accept"}
        accepted_keys = {result.attempt.key for result in self.results if result.accepted}
        return [key for key in asked if key not in accepted_keys]

    def retry(self, keys: list[str]) -> list[str]:
        """Ask for each key until it is accepted; returns those that never were."""
        until = time.monotonic() + RETRIES_SECONDS

        def insist(key: str) -> bool:
            while not self.send(key).accepted:
                if time.monotonic() > until:
                    return False
                time.sleep(RETRY_SECONDS)
            return True

        with ThreadPoolExecutor(RETRIERS) as pool:
            return [key for key, accepted in zip(keys, pool.map(insist, keys), strict=True) if not accepted]

    def _results_since(self, start: float) -> Iterator[Result]:
        """Those that were sent and ended since then."""
        for result in reversed(self.results):
            if (result.attempt.answered or 0.0) < start:
                return
            if result.attempt.sent >= start:
                yield result

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.wait(max(began + self.sent / self._rate - time.monotonic(), 0)):
            self._send_one(self._chance.randrange(100))
            self.sent += 1

    def _send_one(self, choice: int) -> None:
        fresh = make_key(self._chance)
        if choice in SPOILT_ONES:
            self._call(fresh, how=self._chance.choice(SPOILT))
        elif choice in OTHER and self._accepted:
            self._call(self._chance.choice(self._accepted), edition=1)
        elif choice in AGAIN and self._earlier:
            self._call(self._chance.choice(self._earlier))
        else:
            self._earlier.append(fresh)
            for _ in range(2 if choice in TWICE else 1):
                self._call(fresh)

    def _call(self, key: str, *, edition: int = 0, how: str | None = None) -> None:
        future = self._callers.submit(self.send, key, edition=edition, how=how)
        future.add_done_callback(self._note)

    def _note(self, future: Future[Result]) -> None:
        if error := future.exception():
            self.errors.append(f"{type(error).__name__}: {error}")
