"""A client of the intake: posts one body and returns the answer, or gives up after its own timeout."""

import contextlib
import http.client
import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from leadgen.dev.ports import LOOPBACK

GIVES_UP_SECONDS: Final = 10.0
# Shorter than the server's keepalive, so that no request is sent on a connection that is being closed.
IDLE_SECONDS: Final = 2.0

Failure: TypeAlias = Literal["refused", "broken", "silent"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None if there was no answer, and `failure` then says why."""

    seconds: float
    status: int | None = None
    failure: Failure | None = None
    text: str = ""
    media_type: str = ""
    retry_after: str | None = None

    @property
    def intake_id(self) -> str | None:
        """In a 202 only."""
        return json.loads(self.text)["intake_id"] if self.status == 202 else None


class Client:
    """Thread-safe; keeps connections open for a moment."""

    def __init__(self, port: int, api_key: str) -> None:
        self._port = port
        self._api_key = api_key
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._taking = threading.Lock()

    def post(self, key: str, body: bytes, *, strict: bool = False) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **({"Prefer": "handling=strict"} if strict else {}),
        }
        return self._ask("POST", "/lead/intake", body, headers)

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def close(self) -> None:
        for _, connection in self._idle:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        began = time.monotonic()
        connection = self._take(began)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Answer(time.monotonic() - began, failure=_failure(error))
        if response.will_close:
            connection.close()
        else:
            with self._taking:
                self._idle.append((time.monotonic(), connection))
        return Answer(
            time.monotonic() - began,
            response.status,
            None,
            text,
            response.headers.get_content_type(),
            response.headers.get("Retry-After"),
        )

    def _take(self, now: float) -> http.client.HTTPConnection:
        """The connection that was used last, or a new one; those that idled for too long are closed."""
        stale = []
        try:
            with self._taking:
                while self._idle and now - self._idle[0][0] > IDLE_SECONDS:
                    stale.append(self._idle.popleft()[1])
                if self._idle:
                    return self._idle.pop()[1]
        finally:
            for connection in stale:
                with contextlib.suppress(OSError):
                    connection.close()
        return http.client.HTTPConnection(LOOPBACK, self._port, timeout=GIVES_UP_SECONDS)


def _failure(error: OSError | http.client.HTTPException) -> Failure:
    match error:
        case ConnectionRefusedError():
            return "refused"
        case TimeoutError():
            return "silent"
        case _:
            return "broken"
