"""Redis, which carries a ring of the bell and nothing else."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.service import Recipe, Secret, Service

SOCKETS: Final = "/run/motorcade/redis"  # on the host and in the containers


@dataclass(frozen=True)
class Redis:
    """Its settings."""

    redis_maxmemory_mb: int
    redis_memory_max_mb: int


SECRETS: Final = (  # one for each user of leadgen/jobs/redis_users.conf
    Secret("redis-operator", 24, ("PLAT_08B", "PLAT_08C")),
    Secret("redis-bell", 24, ("PLAT_08B", "PLAT_08C", "PLAT_04", "LEADGEN_02")),
    Secret("redis-worker", 24, ("PLAT_08B", "PLAT_08C", "LEADGEN_02", "LEADGEN_07C")),
)
REDIS: Final = Service(
    "redis",
    ("app",),
    ("platform",),
    pinned=pin.built("redis", "redis-server", pin.THREE_NUMBERS, "between its colon and its first dash"),
    settings=Redis,
    secrets=SECRETS,
    processes={"redis": "redis-start"},
    recipe=Recipe,
)
