"""Backups and WAL in S3-compatible storage, and the way back."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.service import Secret, Service


@dataclass(frozen=True)
class Backup:
    """Its settings."""

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
    backup_dumps_days: int
    backup_dumps_kept: int


_STORE: Final = "the owner of the store"

BACKUP: Final = Service(
    "backup",
    ("database",),
    ("postgres",),
    pinned=pin.packaged("pgbackrest", pin.TWO_OR_THREE_NUMBERS),
    settings=Backup,
    secrets=(
        Secret("backup-s3-key-id", 16, ("PLAT_08",), _STORE, about="The name of the store's user for backups."),
        Secret("backup-s3-key", 24, ("PLAT_08",), _STORE, about="That user's key."),
        Secret(
            "backup-cipher",
            40,
            ("PLAT_08",),
            about="It decrypts the backups, and without it they are lost: keep a copy outside every host.",
        ),
    ),
    data=("at", "over", "erasures"),
    processes={"backup": "wal-ship"},
)
