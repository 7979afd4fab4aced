"""Gunicorn's log in our form: its events as JSON lines, and no access log."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from leadgen import log


class EventLog(Logger):  # type: ignore[misc] # gunicorn ships no types
    """Leaves the lines to the process's own logging."""

    def setup(self, cfg: Config) -> None:
        self.cfg = cfg
        log.configure(cfg.loglevel.upper())
        self.error_log.propagate = True

    def access(self, *_: object) -> None:
        """Write nothing: the application tells what it accepted, without addresses.

        Gunicorn's own would put together every line of it even when nobody reads them, for 4 % of a request.
        """
