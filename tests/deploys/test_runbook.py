"""The registry of pages: an order that can be run, files that are there, and the page people read."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploys.kit import runbook, runbook_page
from deploys.kit.errors import Refused
from deploys.kit.runbook import Entry

PROJECT = Path(__file__).parents[2]
NGINX = {"PLAT_05", "PLAT_06A", "PLAT_07"}


def order_faults(order: Iterable[Entry]) -> Iterator[str]:
    """Pages that stand twice, or before one that they require."""
    earlier: set[str] = set()
    for entry in order:
        if entry.id in earlier:
            yield f"{entry.id} stands twice"
        yield from (
            f"{entry.id} stands before {required}" for required in entry.requires if required not in earlier
        )
        earlier.add(entry.id)


def file_faults(order: Iterable[Entry], project: Path) -> Iterator[str]:
    """Pages that are ready and not there, planned and there, or that call themselves something else."""
    known = set()
    for entry in order:
        known.add(entry.file)
        path = project / entry.file
        if path.exists() != (entry.status == "ready"):
            yield f"{entry.file} is {entry.status} and {'there' if path.exists() else 'not there'}"
        elif path.exists():
            yield from call_faults(entry, path.read_text(encoding="utf-8"))
    found = {f"deploys/{path.name}" for path in (project / "deploys").glob("*_[0-9]*.py")}
    yield from (f"{file} is not in the runbook" for file in sorted(found - known))


def call_faults(entry: Entry, text: str) -> Iterator[str]:
    if not (ast.get_docstring(ast.parse(text)) or "").startswith(f"{entry.id}: "):
        yield f"{entry.file} does not start with its id"
    if f'page.begin("{entry.id}")' not in text:
        yield f"{entry.file} does not begin as {entry.id}"


def test_every_page_stands_once_and_after_what_it_requires() -> None:
    assert list(order_faults(runbook.ORDER)) == []


def test_a_ready_page_requires_only_ready_ones() -> None:
    ready = [entry for entry in runbook.ORDER if entry.status == "ready"]
    assert {runbook.find(required).status for entry in ready for required in entry.requires} == {"ready"}


def test_the_pages_that_are_ready_are_the_files_that_are_there() -> None:
    assert list(file_faults(runbook.ORDER, PROJECT)) == []


def test_the_edge_is_frozen_and_the_last_proof_of_postgresql_locks_itself() -> None:
    assert {entry.id for entry in runbook.ORDER if entry.frozen} == NGINX
    assert [entry.id for entry in runbook.ORDER if entry.locked] == ["PLAT_04A"]


def test_every_page_says_what_it_is_for_and_a_ready_one_what_it_does() -> None:
    assert [entry.id for entry in runbook.ORDER if not entry.purpose.endswith(".")] == []
    ready = [entry for entry in runbook.ORDER if entry.status == "ready"]
    assert [entry.id for entry in ready if not (entry.leaves.endswith(".") and entry.verify.endswith("."))] == []


def test_a_tool_is_there_and_found_and_not_part_of_the_whole_host() -> None:
    assert list(file_faults([*runbook.ORDER, *runbook.TOOLS], PROJECT)) == []
    assert {runbook.find(entry.id) for entry in runbook.TOOLS} & set(runbook.ORDER) == set()


def test_a_page_is_found_by_its_id() -> None:
    assert runbook.find("PLAT_02B").file == "deploys/plat_02b.py"
    assert runbook.find("LEADGEN_07C").file == "deploys/leadgen_07c.py"


@pytest.mark.parametrize("page_id", ["PLAT_99", "plat_02b", ""])
def test_a_page_that_is_not_in_the_runbook_is_refused(page_id: str) -> None:
    with pytest.raises(Refused) as refused:
        runbook.find(page_id)
    assert str(refused.value) == (
        f"runbook: it has no page {page_id}; "
        "docs/RUNBOOK.md lists them, and a new one starts in deploys/kit/runbook.py"
    )


def test_the_page_people_read_is_what_the_registry_says() -> None:
    written = (PROJECT / runbook_page.PAGE).read_text(encoding="utf-8")
    assert written == runbook_page.page(), "the page fell behind: run `make runbook`"


def test_the_runbook_shows_each_page_in_its_place_with_its_command() -> None:
    written = runbook_page.page()
    for number, entry in enumerate(runbook.ORDER, start=1):
        [row] = [line for line in written.splitlines() if line.startswith(f"| {number} | ")]
        assert entry.id in row
        assert entry.status in row
        assert ("frozen" in row) == entry.frozen
        assert ("locked once passed" in row) == entry.locked
        assert (f"inventories/prod.py {entry.file}" in written) == (entry.status == "ready")


def test_a_page_in_the_wrong_place_is_found() -> None:
    first, second, *_ = runbook.ORDER
    assert list(order_faults([second, first, first])) == ["PLAT_02A stands before PLAT_01", "PLAT_01 stands twice"]


def test_a_page_whose_file_is_not_as_the_runbook_says_is_found(tmp_path: Path) -> None:
    ready, planned = runbook.find("PLAT_01"), runbook.find("PLAT_06")
    other = replace(ready, id="PLAT_02A")
    (tmp_path / "deploys").mkdir()
    for file, text in [
        ("plat_06.py", '"""PLAT_06: too early."""\n'),
        ("plat_02a.py", '"""PLAT_02B: another."""\npage.begin("PLAT_02B")\n'),
        ("plat_77.py", '"""PLAT_77: stray."""\n'),
    ]:
        (tmp_path / "deploys" / file).write_text(text)
    assert list(file_faults([ready, planned, other], tmp_path)) == [
        "deploys/plat_01.py is ready and not there",
        "deploys/plat_06.py is planned and there",
        "deploys/plat_02a.py does not start with its id",
        "deploys/plat_02a.py does not begin as PLAT_02A",
        "deploys/plat_77.py is not in the runbook",
    ]
