"""What differs by environment, read once a page from group_data into one typed record."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from pyinfra.api.host import Host

from deploys.kit.errors import Refused


@dataclass(frozen=True)
class Settings:
    """One environment's settings; group_data/all.py says what each means."""

    environment: str
    release_file: Path
    secrets_directory: Path
    age_identity: Path | None
    deployments_directory: Path
    base_archive: Path | None
    core_subnet: str
    postgres_max_connections: int
    postgres_shared_buffers_mb: int
    postgres_memory_max_mb: int
    postgres_cpu_percent: int
    redis_maxmemory_mb: int
    redis_memory_max_mb: int
    leadgen_states: str
    leadgen_workers: int
    leadgen_memory_max_mb: int
    leadgen_cpu_percent: int
    edge_host: str
    edge_certificate: str
    edge_key: str
    edge_requests_per_second: int
    edge_burst: int
    drift_expected: str
    disk_percent_max: int
    expiry_days: int
    backup_endpoint: str
    backup_region: str
    backup_bucket: str
    backup_prefix: str
    backup_uri_style: str
    backup_ca_file: str
    backup_time: str
    backup_full_days: int
    backup_retention_days: int
    backup_spool_mb: int
    backup_drill_time: str
    backup_stale_hours: int
    backup_rpo_limit_seconds: int


NAMES: Final = frozenset(field.name for field in fields(Settings))


def read(host: Host) -> Settings:
    """The host's settings; pyinfra merges --data over host over group over all."""
    names = [field.name for field in fields(Settings)]
    return from_values(host.name, {name: getattr(host.data, name) for name in names if hasattr(host.data, name)})


def overridden(host: Host) -> dict[str, str]:
    """Settings that the command line gave for this run only: no commit tells of them, so the record has to."""
    given = host.inventory.override_data
    return {field.name: str(given[field.name]) for field in fields(Settings) if field.name in given}


def from_values(host_name: str, values: Mapping[str, Any]) -> Settings:
    """Raises Refused, with every missing or mistyped setting in one error."""
    faults = []
    found: dict[str, Any] = {}
    for field in fields(Settings):
        kind = field.type
        value = values.get(field.name)
        if value is None and kind == Path | None:
            found[field.name] = None
        elif kind in (Path, Path | None) and isinstance(value, str) and value:
            found[field.name] = Path(value.replace("{host}", host_name)).expanduser()
        elif isinstance(kind, type) and type(value) is kind and value:
            found[field.name] = value
        else:
            faults.append(f"{field.name} is {value!r}")
    if faults:
        raise Refused("group_data", ", ".join(faults), "write them there as group_data/all.py shows")
    return Settings(**found)
