"""The registry of pages: an order that can be run, files that are there, and the page people read."""

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.context import ctx_host

from deploys.kit.errors import Refused
from deploys.kit.plan import entry, page_text, planned, runbook, runbook_page
from deploys.kit.plan.entry import Entry
from deploys.kit.run import page
from deploys.kit.run.steps import Step, Steps
from tests.deploys.known_host import KnownHost

PROJECT = Path(__file__).parents[4]
HOST = {"PLAT_01", "PLAT_01C", "PLAT_09"}
NGINX = {"PLAT_05", "PLAT_06A", "PLAT_07"}
PLANNED = [each for pages in planned.systems().values() for each in pages]
COMPANY_ROWS = 63
STUB = "from pyinfra import host\nprint('ran', host.name, {page!r})\n"


def order_faults(order: Iterable[Entry]) -> Iterator[str]:
    """Pages that stand twice, or before one that they require."""
    earlier: set[str] = set()
    for each in order:
        if each.id in earlier:
            yield f"{each.id} stands twice"
        yield from (f"{each.id} stands before {required}" for required in each.requires if required not in earlier)
        earlier.add(each.id)


def row_faults(entries: Iterable[Entry], without_page: Iterable[int]) -> Iterator[str]:
    """Rows of the company's runbook that are missing, there twice, or more than it has."""
    found = Counter([int(each.row) for each in entries if each.row.isdecimal()])
    found.update(list(without_page))
    yield from (f"row {row} is missing" for row in range(1, COMPANY_ROWS + 1) if row not in found)
    yield from (f"row {row} is there {count} times" for row, count in found.items() if count > 1)
    yield from (f"row {row} does not exist" for row in found if row not in range(1, COMPANY_ROWS + 1))


def file_faults(order: Iterable[Entry], project: Path) -> Iterator[str]:
    """Pages that are ready and not there, planned and there, or that call themselves something else."""
    known = set()
    for each in order:
        known.add(each.file)
        path = project / each.file
        if path.exists() != (each.status == "ready"):
            yield f"{each.file} is {each.status} and {'there' if path.exists() else 'not there'}"
        elif path.exists():
            yield from call_faults(each, path)
    found = {f"deploys/{path.name}" for path in (project / "deploys").glob("*_[0-9]*.py")}
    yield from (f"{file} is not in the runbook" for file in sorted(found - known))


def call_faults(each: Entry, path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if not (ast.get_docstring(ast.parse(text)) or "").startswith(f"{each.id}: "):
        yield f"{each.file} does not start with its id"
    if f'page.begin("{each.id}")' not in text:
        yield f"{each.file} does not begin as {each.id}"
    try:
        page_text.read(path)
    except Refused as error:
        yield f"{each.file}: {str(error).removeprefix(f'{path}: ').partition(';')[0]}"


def pyinfra(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pyinfra on fake hosts, which answer nothing and are nowhere."""
    return subprocess.run(
        [Path(sys.executable).with_name("pyinfra"), "-y", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYINFRA_PROGRESS": "off", "PYINFRA_FAKE_DELAY": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_page_stands_once_and_after_what_it_requires() -> None:
    assert list(order_faults([*runbook.ORDER, *runbook.TOOLS, *PLANNED])) == []


def test_every_row_of_the_company_s_runbook_is_there_once() -> None:
    everything = [*runbook.ORDER, *runbook.TOOLS, *PLANNED]
    assert list(row_faults(everything, runbook.WITHOUT_PAGE)) == []
    assert {each.id for each in everything if each.row == "named"} == {"PLAT_06A", "LEADGEN_08"}
    assert {each.row for each in everything if not each.row.isdecimal()} == {"named", "own"}


def test_a_row_that_is_missing_or_doubled_or_unknown_is_found() -> None:
    first = runbook.ORDER[0]
    others = [row for row in range(1, COMPANY_ROWS + 1) if row not in (4, 7)]
    entries = [first, first, replace(first, row="64"), replace(first, row="own")]
    assert list(row_faults(entries, others)) == [
        "row 7 is missing",
        "row 4 is there 2 times",
        "row 64 does not exist",
    ]


def test_a_ready_page_requires_only_ready_ones() -> None:
    ready = {each.id for each in runbook.ORDER}
    assert {required for each in (*runbook.ORDER, *runbook.TOOLS) for required in each.requires} <= ready
    assert {each.status for each in (*runbook.ORDER, *runbook.TOOLS)} == {"ready"}


def test_the_pages_that_are_ready_are_the_files_that_are_there_and_say_what_they_do() -> None:
    assert list(file_faults([*runbook.ORDER, *runbook.TOOLS, *PLANNED], PROJECT)) == []


def test_the_edge_is_frozen_and_the_last_proof_of_postgresql_locks_itself() -> None:
    assert {each.id for each in runbook.ORDER if each.frozen} == NGINX
    assert [each.id for each in runbook.ORDER if each.locked] == ["PLAT_04A"]


def test_a_tool_is_found_and_not_part_of_the_whole_host() -> None:
    assert {runbook.find(each.id) for each in runbook.TOOLS} & set(runbook.ORDER) == set()


def test_a_page_is_found_by_its_id() -> None:
    assert runbook.find("PLAT_02B").file == "deploys/plat_02b.py"
    assert runbook.find("LEADGEN_07C").file == "deploys/leadgen_07c.py"


@pytest.mark.parametrize("page_id", ["PLAT_99", "plat_02b", ""])
def test_a_page_that_is_not_in_the_runbook_is_refused(page_id: str) -> None:
    with pytest.raises(Refused) as refused:
        runbook.find(page_id)
    assert str(refused.value) == (
        f"runbook: it has no page {page_id}; "
        "docs/RUNBOOK.md lists them, and a new one starts in deploys/kit/plan/runbook.py"
    )


def test_a_page_that_is_planned_is_refused_as_such() -> None:
    with pytest.raises(Refused) as refused:
        runbook.find("MAIL_01")
    assert str(refused.value) == (
        "runbook: MAIL_01 is planned, not built yet; docs/RUNBOOK.md says what it will leave"
    )


@pytest.mark.parametrize(
    ("named", "groups"),
    [
        (["platform", "prod", "all"], {"database", "app", "edge"}),
        (["hosts"], {"database", "app", "edge"}),
        ([], {"database", "app", "edge"}),
        (["prod", "edge", "app"], {"app", "edge"}),
        (["database", "platform"], {"database", "app", "edge"}),
    ],
)
def test_a_host_is_in_all_groups_unless_the_inventory_names_some(named: list[str], groups: set[str]) -> None:
    assert set(entry.members(named)) == groups


def test_the_groups_of_a_host_choose_its_pages_in_the_same_order() -> None:
    assert list(runbook.ready(["platform"])) == list(runbook.ORDER)
    database = [each.id for each in runbook.ready(["database"])]
    assert database[:3] == ["PLAT_01", "PLAT_02A", "PLAT_02B"]
    assert {each.id for each in runbook.ready(["edge"])} == HOST | {"PLAT_02A", *NGINX, "PLAT_07A"}
    assert [each for each in runbook.ORDER if each in list(runbook.ready(["app", "edge"]))] == list(
        runbook.ready(["app", "edge"])
    )


def test_what_runs_on_other_hosts_is_not_looked_for_on_this_one() -> None:
    routes = runbook.find("PLAT_07")
    assert [each.id for each in runbook.prerequisites(routes, ["platform"])] == ["PLAT_05", "PLAT_04"]
    assert [each.id for each in runbook.prerequisites(routes, ["edge"])] == ["PLAT_05", "PLAT_02A"]


def test_what_a_page_of_another_group_stands_on_is_still_looked_for() -> None:
    worker, leads = runbook.find("LEADGEN_07C"), runbook.find("LEADGEN_01")
    assert [each.id for each in runbook.prerequisites(worker, ["app"])] == ["PLAT_04"]
    assert [each.id for each in runbook.prerequisites(leads, ["database"])] == ["PLAT_04A", "PLAT_02A"]
    assert [each.id for each in runbook.prerequisites(leads, ["platform"])] == ["PLAT_04"]


@pytest.mark.parametrize("groups", [["platform"], ["database"], ["edge", "app"]])
def test_the_whole_host_runs_the_pages_of_its_groups(groups: list[str], tmp_path: Path) -> None:
    (tmp_path / "deploys").mkdir()
    (tmp_path / "deploys/platform.py").write_bytes((PROJECT / "deploys/platform.py").read_bytes())
    for each in runbook.ORDER:
        (tmp_path / each.file).write_text(STUB.format(page=each.id))
    (tmp_path / "some.py").write_text("".join(f"{group} = ['@fake/host-01']\n" for group in groups))
    ended = pyinfra(tmp_path, "some.py", "deploys/platform.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ran = [line for line in ended.stdout.splitlines() if line.startswith("ran ")]
    assert ran == [f"ran @fake/host-01 {each.id}" for each in runbook.ready(groups)]


def test_a_page_of_another_group_is_refused_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text("database = ['@fake/host-01']\n")
    ended = pyinfra(PROJECT, str(tmp_path / "some.py"), "deploys/plat_05.py")
    assert ended.returncode == 1
    assert (
        "@fake/host-01: PLAT_05: it runs on hosts of edge, and this one is in database; choose one of those with"
        " --limit, or add this host to the group in the inventory"
    ) in " ".join((ended.stdout + ended.stderr).split())


def test_the_page_people_read_is_what_the_registry_says() -> None:
    written = (PROJECT / runbook_page.PAGE).read_text(encoding="utf-8")
    assert written == runbook_page.page(), "the page fell behind: run `make runbook`"


def test_the_runbook_shows_each_ready_page_in_its_place_with_its_command() -> None:
    written = runbook_page.page()
    for number, each in enumerate(runbook.ORDER, start=1):
        [row] = [line for line in written.splitlines() if line.startswith(f"| {number} | ")]
        assert f"| {runbook_page.groups(each)} | {each.row} |" in row
        assert each.id in row
        assert ("frozen" in row) == each.frozen
        assert ("locked once passed" in row) == each.locked
    for each in (*runbook.ORDER, *runbook.TOOLS):
        assert f"inventories/prod.py {each.file}" in written
        assert f"- Verify: {each.text.verify}\n" in written


def test_the_runbook_shows_what_a_planned_page_will_leave_and_no_command_for_it() -> None:
    written = runbook_page.page()
    for each in PLANNED:
        [row] = [line for line in written.splitlines() if line.startswith(f"| **{each.id}** ")]
        assert each.text.leaves in row
        assert row.endswith(f"| {runbook_page.groups(each)} | {each.row} |")
        assert each.file not in written


def test_a_deviation_from_the_company_s_runbook_is_shown() -> None:
    written = runbook_page.page()
    different = [each for each in (*runbook.ORDER, *PLANNED) if each.text.differs]
    assert {"PLAT_08", "MAIL_01"} <= {each.id for each in different}
    assert [each.id for each in different if each.text.differs not in written] == []


def test_a_page_in_the_wrong_place_is_found() -> None:
    first, second, *_ = runbook.ORDER
    assert list(order_faults([second, first, first])) == ["PLAT_02A stands before PLAT_01", "PLAT_01 stands twice"]


def test_a_page_whose_file_is_not_as_the_runbook_says_is_found(tmp_path: Path) -> None:
    ready = runbook.find("PLAT_01")
    [office] = [each for each in PLANNED if each.id == "PLAT_06"]
    (tmp_path / "deploys").mkdir()
    for file, text in [
        ("plat_06.py", '"""PLAT_06: too early."""\n'),
        ("plat_02a.py", '"""PLAT_02B: another.\n\nPurpose: A.\n\nLeaves: B."""\npage.begin("PLAT_02B")\n'),
        ("plat_77.py", '"""PLAT_77: stray."""\n'),
    ]:
        (tmp_path / "deploys" / file).write_text(text)
    assert list(file_faults([ready, office, replace(ready, id="PLAT_02A")], tmp_path)) == [
        "deploys/plat_01.py is ready and not there",
        "deploys/plat_06.py is planned and there",
        "deploys/plat_02a.py does not start with its id",
        "deploys/plat_02a.py does not begin as PLAT_02A",
        "deploys/plat_02a.py: its docstring has no Verify",
        "deploys/plat_77.py is not in the runbook",
    ]


def test_a_page_asks_its_host_for_the_prerequisites_of_that_host_only() -> None:
    host: Any = KnownHost({Steps: {"PLAT_05": Step("PLAT_05", red="run-2")}})
    for groups, missing in [
        (["platform"], ["PLAT_05", "PLAT_04"]),
        (["edge"], ["PLAT_05", "PLAT_02A"]),
        (["app"], ["PLAT_02A", "PLAT_04"]),
    ]:
        host.groups = groups
        with ctx_host.use(host):
            found = [needed.id for needed, _ in page._missing(runbook.find("PLAT_07"), host.get_fact(Steps), [])]  # noqa: SLF001 - load and run both ask it
        assert found == missing
