"""The command of status: one host that is away does not hide the others, and none keeps a page of better days."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Nothing listens on port 1.
INVENTORY = """
away = {"ssh_hostname": "127.0.0.1", "ssh_port": 1}
platform = [("away-01", away), ("away-02", away)]
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    file = tmp_path / "inventory.py"
    file.write_text(INVENTORY, encoding="utf-8")
    return file


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "deploys.status", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def test_hosts_that_do_not_answer_are_each_reported_and_red(inventory: Path) -> None:
    done = run(inventory, "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert [each["host"] for each in found] == ["away-01", "away-02"]
    assert all("does not answer" in each["unseen"] for each in found)
    done = run(inventory)
    assert done.returncode == 1
    assert "away-02: does not answer" in done.stdout


def test_the_page_of_a_host_that_does_not_answer_replaces_the_one_that_said_all_is_well(
    inventory: Path, tmp_path: Path
) -> None:
    page = tmp_path / "status.html"
    page.write_text("All is well")
    done = run(inventory, "--limit", "away-01", "--html", page)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "not reached" in page.read_text()
    assert [file.name for file in tmp_path.glob("*status*")] == ["status.html"]


def test_a_host_that_the_inventory_does_not_name_is_refused_and_no_page_is_written(
    inventory: Path, tmp_path: Path
) -> None:
    done = run(inventory, "--limit", "elsewhere", "--html", tmp_path / "status.html")
    assert done.returncode == 1
    assert "has no host elsewhere" in done.stderr
    assert not (tmp_path / "status.html").exists()
