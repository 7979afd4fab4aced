"""Authentication: the keys file, reloaded when it changes, and the check of a request's key."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from leadgen.api.problems import Problem
from leadgen.domain.api_key import Client, KeyRing
from leadgen.errors import KeyFileError
from leadgen.log import event

_LOOK_EVERY_SECONDS: Final = 1.0

_logger: Final = logging.getLogger(__name__)
_Mark = tuple[int, int, int]


class KeyFile:
    """The keys file of a running process. A bad new version is logged, and the last good one stays in use.

    Raises KeyFileError if the first version is bad.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._mark = _mark(path)
        self._ring = load_ring(path)
        self._look_at = clock() + _LOOK_EVERY_SECONDS
        self._healthy = True

    def authenticate(self, header: str | None, scope: str) -> Client:
        """Return the client of an Authorization header. Raises Problem: 401, or 403 without the scope."""
        self._look()
        scheme, _, key = (header or "").partition(" ")
        presented = key.strip() if scheme.lower() == "bearer" else ""
        client = self._ring.client_for(presented, datetime.now(UTC))
        if client is None:
            raise Problem("unauthorized", headers={"WWW-Authenticate": "Bearer"})
        if scope not in client.scopes:
            raise Problem(
                "missing-scope",
                f"The key lacks the scope `{scope}`.",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return client

    @property
    def healthy(self) -> bool:
        """Whether the file on disk is the version in use."""
        self._look()
        return self._healthy

    def _look(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_SECONDS
        mark = _mark(self._path)
        if mark != self._mark or not self._healthy:
            self._mark = mark
            self._reload()

    def _reload(self) -> None:
        was_healthy = self._healthy
        try:
            self._ring = load_ring(self._path)
        except KeyFileError as error:
            self._healthy = False
            if was_healthy:
                event(_logger, "keys_file_refused", level=logging.ERROR, what=str(error))
        else:
            self._healthy = True
            event(_logger, "keys_file_loaded", keys=sum(1 for _ in self._ring))


def load_ring(path: Path) -> KeyRing:
    """Read the keys at that path. Raises KeyFileError, including when the file cannot be read."""
    where = f"API keys file {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        what = "is not text"
    else:
        return KeyRing.load(text, where)
    raise KeyFileError(where, what, "name a readable file in LEADGEN_API_KEYS_FILE; see `leadgen keys new`")


def _mark(path: Path) -> _Mark | None:
    """A value that changes when the file does; None while it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
