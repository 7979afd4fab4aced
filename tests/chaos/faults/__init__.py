"""Every kind of fault, by its name."""

from tests.chaos.faults import api, drain, postgres, postgres_wire, redis
from tests.chaos.faults.kind import KINDS, Kind

__all__ = ["KINDS", "Kind", "api", "drain", "postgres", "postgres_wire", "redis"]
