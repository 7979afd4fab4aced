"""Every kind of fault, by its name."""

from tests.chaos.faults import api, drain, postgres, postgres_wire, power, redis
from tests.chaos.faults.kind import KINDS, Kind, possible

__all__ = ["KINDS", "Kind", "api", "drain", "possible", "postgres", "postgres_wire", "power", "redis"]
