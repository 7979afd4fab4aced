"""The lead intake: a 202 means the lead is durable and becomes exactly one row."""

from typing import Final

__version__: Final = "0.1.0"
