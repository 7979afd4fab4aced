"""PostgreSQL, the only truth."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.service import Recipe, Secret, Service

MAJOR: Final = 17  # what containers/postgres is built of, and so where its clusters are


@dataclass(frozen=True)
class Postgres:
    """Its settings."""

    postgres_max_connections: int
    postgres_shared_buffers_mb: int
    postgres_memory_max_mb: int
    postgres_cpu_percent: int


POSTGRES: Final = Service(
    "postgres",
    ("database",),
    ("platform",),
    pinned=pin.built("postgres", f"postgresql-{MAJOR}", pin.TWO_NUMBERS),
    settings=Postgres,
    secrets=(
        Secret("postgres-owner", 24, ("PLAT_03", "LEADGEN_01", "LEADGEN_02", "LEADGEN_03")),
        Secret("postgres-api", 24, ("PLAT_03", "PLAT_04", "LEADGEN_02")),
        Secret("postgres-app", 24, ("PLAT_03", "LEADGEN_02", "LEADGEN_07C")),
        Secret("postgres-ro", 24, ("PLAT_03", "PLAT_04A")),
    ),
    processes={"postgres": "postgres-start"},
    recipe=Recipe,
)
