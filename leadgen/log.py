"""Structured logs: one JSON object per line, on standard error, without personal data."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

_FIELDS: Final = "leadgen_fields"


def configure(level: str) -> None:
    """Format every log line of the process as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The driver's own warnings name hosts and users; the caller logs what failed.
    logging.getLogger("psycopg").setLevel(logging.ERROR)


def event(
    logger: logging.Logger,
    name: str,
    *,
    level: int = logging.INFO,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Log that something happened; fields carry ids, counts and kinds, never what a person wrote.

    For an error only the types and code locations are written: its text may quote a row, a key or an address.
    """
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={_FIELDS: fields}, exc_info=error)


class JsonFormatter(logging.Formatter):
    """Time, level, logger and event, then the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= getattr(record, _FIELDS, {})
        if record.exc_info:
            line["trace"] = _trace(record)
        return json.dumps(line, default=str)


def _trace(record: logging.LogRecord) -> list[str]:
    """The types of an exception and its causes, each followed by its code locations."""
    found: list[str] = []
    error = record.exc_info[1] if record.exc_info else None
    while error is not None:
        found.append(type(error).__qualname__)
        step = error.__traceback__
        while step is not None:
            found.append(f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}")
            step = step.tb_next
        error = error.__cause__ or error.__context__
    return found
