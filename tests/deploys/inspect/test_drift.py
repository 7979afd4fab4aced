"""The command of drift: what could not be seen is never called clean."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploys.inspect.finding import DIFFERENT, SAME, UNSEEN, Drift, Finding

FINDING = Finding("disk", "/", "is full", "empty it")
# Nobody listens on port 1.
INVENTORY = 'platform = [("away", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})]\n'


def drift(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "deploys.drift", *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("findings", "unseen", "code"),
    [([], [], SAME), ([FINDING], [], DIFFERENT), ([], ["a page"], UNSEEN), ([FINDING], ["a page"], UNSEEN)],
)
def test_a_host_is_clean_only_where_all_was_seen(findings: list[Finding], unseen: list[str], code: int) -> None:
    assert Drift("host", findings, unseen, 1.0).code == code


def test_a_host_that_does_not_answer_was_not_seen(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.py"
    inventory.write_text(INVENTORY, encoding="utf-8")
    done = drift(str(inventory), "--json")
    assert done.returncode == UNSEEN, done.stderr
    (told,) = json.loads(done.stdout)
    assert (told["host"], told["findings"], len(told["unseen"])) == ("away", [], 1)
    done = drift(str(inventory))
    assert done.returncode == UNSEEN
    assert "away could not be fully inspected" in done.stdout
    assert "not inspected: " in done.stdout


def test_a_host_that_the_inventory_does_not_name_was_not_seen(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.py"
    inventory.write_text(INVENTORY, encoding="utf-8")
    done = drift(str(inventory), "--limit", "elsewhere")
    assert done.returncode == UNSEEN
    assert "has no host elsewhere" in done.stdout


def test_a_file_that_is_no_inventory_is_refused_by_its_name() -> None:
    done = drift("deploys/status.py")
    assert (done.returncode, done.stdout) == (UNSEEN, "")
    assert "deploys/status.py: lists no host; name an inventory" in done.stderr


def test_a_page_in_the_place_of_the_inventory_is_named() -> None:
    done = drift("deploys/plat_01.py")
    assert done.returncode == UNSEEN
    assert done.stderr.splitlines()[-1] == (
        "Error: deploys/plat_01.py: is a page, not an inventory; "
        "name the inventory first: inventories/prod.py deploys/plat_01.py"
    )


def test_a_sentence_is_read_into_its_parts() -> None:
    assert Finding.read("unit", "a.service: failed (result: x; y); look") == Finding(
        "unit", "a.service", "failed (result: x; y)", "look"
    )
