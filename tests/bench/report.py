"""What a run leaves behind: every sample, where and when it was taken, as JSON."""

import json
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.bench.stack import PROJECT

FILE = PROJECT / "docs/reference/speed.json"

Report = dict[str, Any]


def make(machine: dict[str, str], figures: Iterable[Figure]) -> Report:
    """Each figure with the day and the commit it was taken at, as a later run may renew some of them only."""
    measured = {"on": datetime.now(UTC).date().isoformat(), "commit": commit()}
    return {"machine": machine, "figures": [{**figure.document(), "measured": measured} for figure in figures]}


def keep(report: Report, file: Path) -> None:
    """Write the report; figures of an earlier one that were not measured this time stay in their places."""
    if file.exists():
        report = merge(json.loads(file.read_text(encoding="utf-8")), report)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def merge(earlier: Report, later: Report) -> Report:
    renewed = {figure["name"]: figure for figure in (*earlier["figures"], *later["figures"])}
    return {"machine": later["machine"], "figures": list(renewed.values())}


def commit() -> str:
    """The commit that was measured, `+` when the checkout had changes beside it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
