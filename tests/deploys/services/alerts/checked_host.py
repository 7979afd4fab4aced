"""A host as its check sees it: programs that answer as a host would, and files of what is judged."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.deploys.services.alerts.rendered import program

# Programs of the host: each prints a file of the world, and some end as another file says.
PROGRAMS = {
    "curl": 'for last; do :; done; cat "$WORLD/${last##*/}"',
    "df": 'cat "$WORLD/df"; exit "$(cat "$WORLD/df-status")"',
    "systemctl": 'cat "$WORLD/$1"; exit "$(cat "$WORLD/systemctl-status")"',
    "systemd-detect-virt": 'exit "$(cat "$WORLD/virt")"',
    "timedatectl": 'cat "$WORLD/clock"',
    "chronyc": 'cat "$WORLD/chrony"',
    "apt-get": 'cat "$WORLD/apt"; exit "$(cat "$WORLD/apt-status")"',
    "sleep": 'cp "$WORLD/later/"* "$WORLD/" 2>/dev/null; :',
}
HEALTH: dict[str, Any] = {
    "backlog": 0,
    "db": "ok",
    "dead": 0,
    "dependencies": {"api_keys": "ok", "postgres": "ok", "redis": "ok", "sweeper": "ok", "worker": "ok"},
    "fault": None,
    "oldest_seconds": 0.012,
    "queue": "postgres",
    "status": "ok",
}
METRICS = (
    "# TYPE leadgen_accepted_total counter\n"
    'leadgen_accepted_total{outcome="replay"} 5.0\nleadgen_accepted_total{outcome="new"} 1.234567e+06\n'
)
UNIT = (
    "Type={type}\nResult=success\nId={id}\nWantedBy={wanted}\nLoadState={load}\nActiveState={active}\nSubState=x\n"
)
REDIS = {
    "type": "notify",
    "id": "motorcade-redis.service",
    "wanted": "motorcade.target",
    "load": "loaded",
    "active": "active",
}
TIMER = {
    "type": "",
    "id": "motorcade-backup.timer",
    "wanted": "motorcade.target",
    "load": "loaded",
    "active": "active",
}
DONE = {"type": "oneshot", "id": "motorcade-x.service", "wanted": "", "load": "loaded", "active": "inactive"}


def stamp(**ago: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**ago):%FT%TZ}"


def label(**ago: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**ago):%Y%m%d-%H%M%S}F"


def reports() -> dict[str, dict[str, Any]]:
    """Of programs of the backups that are well."""
    well = {"at": stamp(seconds=5), "ok": True, "since": stamp(days=1), "reason": ""}
    return {"ship": well, "backup": {**well, "label": label(hours=2)}, "drill": well, "dumps": well}


def shown(*units: dict[str, str]) -> str:
    return "\n".join(UNIT.format(**unit) for unit in units)


class Host:
    """The world of one check; `set` changes an answer."""

    def __init__(self, world: Path, shell: str, certificate: Path) -> None:
        self.world, self.shell = world, shell
        (world / "later").mkdir()
        for name, text in PROGRAMS.items():
            (world / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (world / "bin" / name).chmod(0o755)
        self.set("ready", '{"status": "ready"}\n\n200 0.012345')
        self.set("metrics", METRICS)
        self.health()
        self.set(
            "df",
            "Use% IUse% Type Mounted on\n 10%  1% ext4 /\n 99% 99% tmpfs /run\n  5%    - xfs /srv/motorcade\n",
        )
        self.set("list-units", "".join(f"{unit['id']} loaded active x y\n" for unit in (REDIS, TIMER, DONE)))
        self.set("show", shown(REDIS, TIMER, DONE))
        self.set("clock", "yes\n")
        self.set("chrony", "A9,time,3,1.0,0.000123,0.1,0.1,1,1,1,1,1,64,Normal\n")
        self.set("apt", "Inst bash [5.2-1] (5.2-2 Debian:12/stable [amd64])\n")
        for name in ("df-status", "systemctl-status", "apt-status"):
            self.set(name, "0")
        self.set("virt", "1")
        self.set("packages", "")
        self.set("dpkg-status", "")
        os.utime(world / "dpkg-status", (1, 1))
        self.set("api-keys", f"AbCd1234 website intake {'0' * 64} never\n")
        pem = certificate.read_text()
        self.set("edge.key", pem.partition("-----BEGIN CERT")[0])
        self.set("edge.pem", pem)
        for name, said in reports().items():
            self.report(name, said)
        self.values: dict[str, object] = {"channels": ["webhook"], "expiry_days": 1, "expiry_urgent_days": 0}

    def set(self, name: str, text: str) -> None:
        (self.world / name).write_text(text)

    def health(self, **changed: object) -> None:
        self.set("health", json.dumps({**HEALTH, **changed}, sort_keys=True) + "\n")

    def report(self, name: str, said: object) -> None:
        self.set(f"backups/{name}.json", json.dumps(said) + "\n")

    def run(self, *words: str) -> list[list[str]]:
        file = program(self.world, "alerts-check", **self.values)
        environ = {"PATH": f"{self.world / 'bin'}:{os.environ['PATH']}", "WORLD": str(self.world)}
        done = subprocess.run(
            [self.shell, file, *words], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def found(self) -> list[tuple[str, str, str]]:
        """Id, level and sentence of each trouble."""
        return [(id_, level, what) for id_, level, _, what in self.run()]

    def recorded(self) -> list[list[str]]:
        assert self.run("record") == []
        return [line.split("\t") for line in (self.world / "state/troubles").read_text().splitlines()]
