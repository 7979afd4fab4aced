"""Settings: every fault in one error, and paths of a host's own."""

from pathlib import Path

import pytest

from deploys.kit.errors import Refused
from deploys.kit.settings import from_values

VALID = {
    "environment": "lab",
    "release_file": ".lab/{host}/release.yaml",
    "secrets_directory": ".lab/{host}/secrets",
    "deployments_directory": "docs/deployments",
    "core_subnet": "10.89.10.0/24",
    "postgres_max_connections": 100,
    "postgres_shared_buffers_mb": 64,
    "postgres_memory_max_mb": 512,
    "postgres_cpu_percent": 200,
    "redis_maxmemory_mb": 64,
    "redis_memory_max_mb": 192,
    "leadgen_states": "TX",
    "leadgen_workers": 2,
    "leadgen_memory_max_mb": 384,
    "leadgen_cpu_percent": 150,
    "edge_host": "edge.example.com",
    "edge_certificate": "/etc/ssl/motorcade/edge.pem",
    "edge_key": "/etc/ssl/motorcade/edge.key",
    "edge_requests_per_second": 10,
    "edge_burst": 20,
    "drift_expected": "0.0.0.0:22",
    "disk_percent_max": 80,
    "expiry_days": 14,
    "backup_endpoint": "s3.example.com",
    "backup_region": "test",
    "backup_bucket": "backups",
    "backup_prefix": "/motorcade",
    "backup_uri_style": "host",
    "backup_ca_file": "/etc/ssl/certs/ca-certificates.crt",
    "backup_time": "03:10",
    "backup_full_days": 7,
    "backup_retention_days": 28,
    "backup_spool_mb": 8192,
    "backup_drill_time": "04:40",
    "backup_stale_hours": 26,
    "backup_rpo_limit_seconds": 120,
}


def test_the_name_of_the_host_stands_in_its_paths() -> None:
    settings = from_values("motorcade-lab-02", VALID)
    assert settings.release_file == Path(".lab/motorcade-lab-02/release.yaml")
    assert settings.age_identity is None


def test_every_missing_or_mistyped_setting_is_named_in_one_error() -> None:
    values = {**VALID, "postgres_max_connections": "100", "environment": ""}
    del values["core_subnet"]
    with pytest.raises(Refused) as refusal:
        from_values("motorcade-lab-01", values)
    assert str(refusal.value) == (
        "group_data: environment is '', core_subnet is None, postgres_max_connections is '100'; "
        "write them there as group_data/all.py shows"
    )


def test_a_figure_given_as_a_truth_value_is_refused() -> None:
    with pytest.raises(Refused, match="postgres_cpu_percent is True"):
        from_values("motorcade-lab-01", {**VALID, "postgres_cpu_percent": True})
