"""Gunicorn's log in our format: its events as JSON lines, and no access log."""

from gunicorn.config import Config
from gunicorn.glogging import Logger

from leadgen import log


class EventLog(Logger):  # type: ignore[misc] # gunicorn ships no types
    """Passes the lines to the process's own logging."""

    def setup(self, cfg: Config) -> None:
        self.cfg = cfg
        log.configure(cfg.loglevel.upper())
        self.error_log.propagate = True

    def access(self, *_: object) -> None:
        """Write nothing: the application logs what it accepted, without addresses.

        Gunicorn's own would format every line even if it is not written, at 4 % of a request.
        """
