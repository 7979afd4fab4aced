"""The report and the page that is written from it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench import page, report
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.stack import PROJECT


def document(*names: str, samples: tuple[float, ...] = (0.5,)) -> dict[str, Any]:
    return report.make({"processor": "one"}, [Figure(name, name, Spread(samples), Goal(0.6)) for name in names])


def test_a_row_that_is_measured_again_is_renewed_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    report.keep(document("accept", "floor"), file)
    report.keep(document("accept", "drain", samples=(0.7,)), file)
    found = json.loads(file.read_text(encoding="utf-8"))["figures"]
    assert [(figure["name"], figure["value"]["samples"]) for figure in found] == [
        ("accept", [0.7]),
        ("floor", [0.5]),
        ("drain", [0.7]),
    ]


def test_the_page_says_which_goals_are_met_and_which_are_not() -> None:
    both = report.merge(document("slow"), document("fast", samples=(0.6, 0.7, 0.8)))
    text = page.page(both)
    assert "| slow | 0.50 (0.50 to 0.50) | ≥ 0.6 | **no** |" in text
    assert "| fast | 0.70 (0.60 to 0.80) | ≥ 0.6 | yes |" in text


def test_the_page_in_the_docs_is_what_was_measured() -> None:
    kept = json.loads(report.FILE.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.page(kept), "run `python -m tests.bench.page`"


def test_a_quick_run_measures_and_keeps_its_report(tmp_path: Path) -> None:
    """Without wrk: what needs it is passed over and says how to get it; the rest is measured."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "test", "sh", "uname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    file = tmp_path / "quick.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--rounds", "1", "--json", str(file)],
        cwd=PROJECT,
        env=os.environ | {"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "accept is not measured: wrk: it is not installed; on Debian: apt-get install wrk" in done.stdout
    found = json.loads(file.read_text(encoding="utf-8"))
    assert {figure["name"] for figure in found["figures"]} >= {"latency", "redis-down", "redis-hung"}
    assert all(figure["value"]["samples"] for figure in found["figures"])
    assert found["machine"]["processor"]
