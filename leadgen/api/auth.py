"""Authentication: the keys file, reloaded when it changes, and the check of a request's key."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from leadgen.api.problems import Problem
from leadgen.api.this_request import Environ, bearer_of
from leadgen.domain.api_key import Client, KeyRing
from leadgen.errors import KeyFileError
from leadgen.log import event

_LOOK_EVERY_SECONDS: Final = 1.0

_logger: Final = logging.getLogger(__name__)
_Mark = tuple[int, int, int]


class KeyFile:
    """The keys file of a running process. Bad lines are logged, and the good ones are in use.

    A new version without a good line is logged, and the last keys stay in use. Raises KeyFileError if the first
    version is like that.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._mark = _mark(path)
        self._ring, self._faults = salvage_ring(path)
        self._log_faults()
        self._look_at = clock() + _LOOK_EVERY_SECONDS

    def authenticate(self, environ: Environ, scope: str) -> Client:
        """Return the client of a request's key. Raises Problem: 400, 401, or 403 without the scope."""
        self._look()
        client = self._ring.client_for(_presented(environ), datetime.now(UTC))
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
    def faults(self) -> int:
        """How many lines of the file on disk are not in use because they are bad; 1 if none is in use."""
        self._look()
        return len(self._faults)

    def _look(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_SECONDS
        mark = _mark(self._path)
        if mark != self._mark or self._faults:  # a fault may end without a new mark: by another mode, for example
            self._mark = mark
            self._reload()

    def _reload(self) -> None:
        before = (list(self._ring), self._reasons)
        try:
            self._ring, self._faults = salvage_ring(self._path)
        except KeyFileError as error:
            self._faults = [error]
            if self._reasons != before[1]:
                event(_logger, "keys_file_refused", level=logging.ERROR, what=str(error))
        else:
            if (list(self._ring), self._reasons) != before:
                self._log_faults()
                event(_logger, "keys_file_loaded", keys=sum(1 for _ in self._ring))

    @property
    def _reasons(self) -> list[str]:
        return [str(fault) for fault in self._faults]

    def _log_faults(self) -> None:
        for reason in self._reasons:
            event(_logger, "keys_line_refused", level=logging.ERROR, what=reason)


def _presented(environ: Environ) -> str:
    """The key of a request, which may be in either of two headers; empty without one."""
    bearer = bearer_of(environ)
    plain = environ.get("HTTP_X_API_KEY", "").strip()
    if bearer and plain and bearer != plain:
        raise Problem("bad-request", "Authorization and X-API-Key hold different keys: send one of them.")
    return bearer or plain


def load_ring(path: Path) -> KeyRing:
    """Read the keys at that path. Raises KeyFileError for the first bad line, and if the file cannot be read."""
    ring, faults = salvage_ring(path)
    if faults:
        raise faults[0]
    return ring


def salvage_ring(path: Path) -> tuple[KeyRing, list[KeyFileError]]:
    """Read the good lines at that path; also an error for each bad one. Raises KeyFileError when none is good."""
    where = f"API keys file {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        what = "is not text"
    else:
        return KeyRing.salvage(text, where)
    raise KeyFileError(where, what, "name a readable file in LEADGEN_API_KEYS_FILE; see `leadgen keys new`")


def _mark(path: Path) -> _Mark | None:
    """A value that changes when the file does; None while it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
