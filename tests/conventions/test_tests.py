"""The tests themselves: named in sentences, on real parts, and none that quietly replaces another."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

FEWEST_WORDS = 3
SERVERS = {
    "bare_database",
    "database",
    "own_postgres",
    "own_redis",
    "postgres_server",
    "redis_server",
    "redis_url",
}


def functions_of(source: str) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def name_faults(path: str, source: str) -> list[str]:
    names = Counter(test.name for test in functions_of(source))
    short = [name for name in names if len(name.split("_")) <= FEWEST_WORDS]
    return [f"{path}: {name} is no sentence" for name in short] + [
        f"{path}: {name} is there {count} times, and only the last one runs"
        for name, count in names.items()
        if count > 1
    ]


def mock_faults(path: str, source: str) -> list[str]:
    """Stand-ins for our own code: a test that meets them proves nothing about it."""
    imported = {
        ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [f"{path}: `{line}`; test the real thing" for line in sorted(imported) if re.search(r"\bmock\b", line)]


def server_faults(path: str, source: str) -> list[str]:
    """Unit tests that need a server, and so are none."""
    return [
        f"{path}: {test.name} takes {', '.join(sorted(wanted))}; it belongs to tests/integration"
        for test in functions_of(source)
        if (wanted := SERVERS & {argument.arg for argument in test.args.args})
    ]


def imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def import_faults(path: str, source: str) -> list[str]:
    """Imports from a test module: what two of them share is a plain module, or a fixture of conftest."""
    return [
        f"{path}: imports {name}; move what it needs to a plain module"
        for name in imports(source)
        if any(word.startswith("test_") for word in name.split("."))
    ]


def alone_faults(path: str, source: str) -> list[str]:
    """Tests that run alone, which takes everybody's time, without saying which clock they race with."""
    nodes = list(ast.walk(ast.parse(source))) if "mark.alone" in source else []
    marks = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "alone"]
    reasoned = [
        node.func
        for node in nodes
        if isinstance(node, ast.Call) and [type(argument) for argument in node.args] == [ast.Constant]
    ]
    return [f"{path}:{mark.lineno}: `alone` gives no reason" for mark in marks if mark not in reasoned]


@pytest.fixture(scope="module")
def sources(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return texts("tests/*/test_*.py")


def test_every_test_has_a_sentence_of_its_own_for_a_name(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in name_faults(path, source)] == []


def test_no_test_mocks(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in mock_faults(path, source)] == []


def test_unit_tests_need_no_server(texts: Callable[[str], dict[str, str]]) -> None:
    unit = texts("tests/unit/*test_*.py")
    assert [fault for path, source in unit.items() for fault in server_faults(path, source)] == []


def test_no_module_imports_from_a_test_module(texts: Callable[[str], dict[str, str]]) -> None:
    every = texts("tests/*.py")
    assert [fault for path, source in every.items() for fault in import_faults(path, source)] == []


def test_an_import_from_a_test_module_is_found() -> None:
    for line in (
        "from tests.lab.test_redis import until",
        "from tests.lab import test_redis",
        "import tests.lab.test_redis",
        "from .test_redis import until",
        "def f():\n    from tests.lab.test_redis import until",
    ):
        assert len(import_faults("tests/lab/test_a.py", line)) == 1, line
    for line in ("from tests.lab.command import until", "from werkzeug.test import TestResponse"):
        assert import_faults("tests/lab/test_a.py", line) == []


def test_every_test_that_runs_alone_says_why(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in alone_faults(path, source)] == []


def test_a_name_that_is_no_sentence_or_is_there_twice_is_found() -> None:
    assert len(name_faults("test_a.py", "def test_drain(): ...")) == 1
    assert len(name_faults("test_a.py", "def test_a_b_c(): ...\ndef test_a_b_c(): ...")) == 1
    assert name_faults("test_a.py", "def test_a_drain_empties_the_queue(): ...") == []


def test_a_mock_is_found() -> None:
    assert len(mock_faults("test_a.py", "from unittest.mock import patch")) == 1
    assert len(mock_faults("test_a.py", "import unittest.mock")) == 1
    assert mock_faults("test_a.py", "from unittest import TestCase") == []


def test_a_unit_test_that_takes_a_server_is_found() -> None:
    assert len(server_faults("test_a.py", "def test_a_row_is_there(database): ...")) == 1
    assert server_faults("test_a.py", "def test_a_row_is_there(tmp_path): ...") == []


@pytest.mark.parametrize("mark", ["pytest.mark.alone", "pytest.mark.alone()", "pytest.mark.alone(REASON)"])
def test_a_test_that_runs_alone_without_a_reason_is_found(mark: str) -> None:
    assert len(alone_faults("test_a.py", f"@{mark}\ndef test_a_ring_is_heard_at_once(): ...")) == 1
    assert len(alone_faults("test_a.py", f"pytestmark = {mark}")) == 1
    assert alone_faults("test_a.py", "pytestmark = pytest.mark.alone('a poll comes half a second later')") == []
