"""Whose fault a failed statement is, told by its SQLSTATE: the row's, a lock's, or the server's."""

from typing import Final

import psycopg

# 22 bad data, 23 a violated constraint, P0 an exception raised by a trigger: another row might pass.
_ROW_CLASSES: Final = ("22", "23", "P0")
# Another try may pass where this one met somebody else's transaction: deadlock, serialization, lock, timeout.
_CROWD: Final = frozenset({"40001", "40P01", "55P03", "57014"})


def is_row(error: Exception) -> bool:
    """Whether the data of a row made the statement fail."""
    return _sqlstate(error).startswith(_ROW_CLASSES)


def is_crowd(error: Exception) -> bool:
    """Whether another transaction stood in the way."""
    return _sqlstate(error) in _CROWD


def _sqlstate(error: Exception) -> str:
    return error.sqlstate or "" if isinstance(error, psycopg.Error) else ""
