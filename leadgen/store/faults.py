"""The cause of a failed statement: the row, another transaction, or the server."""

from typing import Final

import psycopg
import psycopg.errors

from leadgen.errors import DatabaseUnavailable

# 22 bad data, 23 a violated constraint, P0 an exception raised by a trigger: another row might succeed.
_ROW_CLASSES: Final = ("22", "23", "P0")
# A conflict with another transaction (deadlock, serialization, lock, timeout): a retry may succeed.
_CROWD: Final = frozenset({"40001", "40P01", "55P03", "57014"})
_SERVER: Final = (
    DatabaseUnavailable,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)


def is_row(error: Exception) -> bool:
    """Whether a row's data made the statement fail."""
    return _sqlstate(error).startswith(_ROW_CLASSES)


def is_crowd(error: Exception) -> bool:
    """Whether another transaction made the statement fail."""
    return _sqlstate(error) in _CROWD


def is_server(error: Exception) -> bool:
    """Whether the server is down, out of resources, or read-only."""
    return isinstance(error, _SERVER) and not is_crowd(error)


def _sqlstate(error: Exception) -> str:
    return error.sqlstate or "" if isinstance(error, psycopg.Error) else ""
