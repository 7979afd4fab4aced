"""Who looks at health and metrics all the time, as an operator's dashboard does."""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos.client import Client

POLL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """`health` is None when there was no answer."""

    at: float
    health: dict[str, Any] | None

    @property
    def green(self) -> bool:
        return self.health is not None and self.health["status"] == "ok"

    def names(self, dependency: str) -> bool:
        """Whether health says that something is wrong with it."""
        return self.health is not None and self.health["dependencies"][dependency] != "ok"

    @property
    def oldest_seconds(self) -> float:
        return (self.health or {}).get("oldest_seconds") or 0.0


class Watcher:
    def __init__(self, client: Client) -> None:
        self.looks: list[Look] = []
        self.texts: set[str] = set()
        """All responses it received, to be searched for secrets and personal data."""
        self._client = client
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def look(self) -> Look:
        answer = self._client.get("/lead/health")
        look = Look(time.monotonic(), json.loads(answer.text) if answer.status == 200 else None)
        self.looks.append(look)
        self.texts |= {answer.text, self._client.get("/metrics").text}
        return look

    def _run(self) -> None:
        while not self._ending.wait(POLL_SECONDS):
            self.look()
