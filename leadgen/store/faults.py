"""Whose fault a failed statement is: the row's, another transaction's, or the server's."""

from typing import Final

import psycopg
import psycopg.errors

from leadgen.errors import DatabaseUnavailable

# 22 bad data, 23 a violated constraint, P0 an exception raised by a trigger: another row might pass.
_ROW_CLASSES: Final = ("22", "23", "P0")
# Another try may pass where this one met somebody else's transaction: deadlock, serialization, lock, timeout.
_CROWD: Final = frozenset({"40001", "40P01", "55P03", "57014"})
_SERVER: Final = (
    DatabaseUnavailable,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)


def is_row(error: Exception) -> bool:
    """Whether the data of a row made the statement fail."""
    return _sqlstate(error).startswith(_ROW_CLASSES)


def is_crowd(error: Exception) -> bool:
    """Whether another transaction stood in the way."""
    return _sqlstate(error) in _CROWD


def is_server(error: Exception) -> bool:
    """Whether the server is away, out of something, or takes no writes."""
    return isinstance(error, _SERVER) and not is_crowd(error)


def _sqlstate(error: Exception) -> str:
    return error.sqlstate or "" if isinstance(error, psycopg.Error) else ""
