"""Programs of the alerts as a test runs them: rendered for folders of its own, with all that they judge."""

from pathlib import Path
from typing import Any

from deploys.kit.operations.hostfiles import render
from deploys.services.platform import updates

VALUES: dict[str, Any] = {
    "page": "PLAT_99",
    "channels": [],
    "database": True,
    "app": True,
    "edge": True,
    "intake": "127.0.0.1:1",
    "ship_seconds": 120,
    "backup_seconds": 26 * 3600,
    "drill_seconds": 48 * 3600,
    "dumps_seconds": 48 * 3600,
    "edge_host": "edge.test",
    "disk_percent_max": 80,
    "queue_seconds": 60,
    "expiry_days": 21,
    "expiry_urgent_days": 7,
    "clock_seconds": 2,
    "run_minutes": 60,
    "repeat_minutes": 60,
    "second_look_seconds": 0,
    "samples_kept": 1440,
    "samples_bytes": 400_000,
    "webhook_url": None,
    "smtp_url": None,
    "smtp_login": True,
    "mail_from": "alerts@motorcade.test",
    "mail_to": ["ann@motorcade.test", "bob@motorcade.test"],
    "ntfy_url": None,
    "ntfy_token": True,
    "dead_man_url": None,
    "trust": "",
    "kept": 20,
    "lines": 40,
    "send_seconds": 5,
    "drain_seconds": 30,
    "gap_seconds": 50,
    "silent_seconds": 180,
}


def program(world: Path, name: str, **values: object) -> Path:
    """The program on folders below `world`."""
    places = {
        "state": world / "state",
        "sent": world / "run",
        "samples": world / "samples",
        "settings": world / "settings",
        "keys": world / "api-keys",
        "backups": world / "backups",
        "edge_certificate": world / "edge.pem",
        "edge_key": world / "edge.key",
        "steps": world / "steps",
        "lock": world / "lock",
        "packages": world / "packages",
        "quadlets": world / "quadlets",
        "dpkg_status": world / "dpkg-status",
        "updates": host_updates(world),
        "due": world / "due",
    }
    file = world / name
    file.write_text(render(f"alerts/{name}", **{**VALUES, **places, **values}))
    file.chmod(0o755)
    return file


def host_updates(world: Path) -> Path:
    """The program of PLAT_01C, which knows the pending updates."""
    file = world / "host-updates"
    file.write_text(render("platform/host-updates", page="PLAT_99", held=updates.HELD, gate="GATE"))
    file.chmod(0o755)
    return file
