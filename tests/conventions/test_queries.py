"""Named SQL: each query has a sentence and somebody who uses it, and Python names none that is not there."""

import ast
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import NamedTuple

import pytest

HEADING = re.compile(r"^-- (\w+) --$", re.MULTILINE)

STATEMENT = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP|LOCK|GRANT) [\w(*]")


class Use(NamedTuple):
    """What a module does with a file of queries: the names it subscripts with, and every text it holds."""

    table: str
    subscripts: set[str]
    constants: set[str]


def queries(sql: str) -> dict[str, str]:
    _, *parts = HEADING.split(sql)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def sentence_faults(path: str, sql: str) -> list[str]:
    """The comment below a query's name begins with a capital and ends with a full stop."""
    return [
        f"{path}: {name} lacks a sentence that says what it is for"
        for name, body in queries(sql).items()
        if not re.match(r"-- [A-Z](.*\n-- )*.*\.\n(?!-- )", body.lstrip())
    ]


def use(source: str) -> Use | None:
    """How a module uses the queries that it binds by `_SQL = load("<table>")`."""
    tree = ast.parse(source)
    loaded = re.search(r'^_SQL\b.*= load\("(\w+)"\)$', source, re.MULTILINE)
    if loaded is None:
        return None
    subscripts = {
        str(node.slice.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "_SQL"
        and isinstance(node.slice, ast.Constant)
    }
    constants = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return Use(loaded[1], subscripts, constants)


def use_faults(sql: dict[str, str], python: dict[str, str]) -> list[str]:
    """`sql`: table -> text; `python`: path -> source. Queries that nobody names, and names without a query."""
    uses = {path: found for path, source in python.items() if (found := use(source))}
    missing = [
        f"{path}: there is no query {name} in sql/{found.table}.sql"
        for path, found in uses.items()
        for name in sorted(found.subscripts - set(queries(sql.get(found.table, ""))))
    ]
    unused = [
        f"sql/{table}.sql: nobody uses {name}"
        for table, text in sql.items()
        for name in queries(text)
        if not any(found.table == table and name in found.constants for found in uses.values())
    ]
    return missing + unused


def stray_faults(path: str, source: str) -> list[str]:
    """Texts outside the store that read like SQL."""
    if path.startswith("leadgen/store/"):
        return []
    return [
        f"{path}:{node.lineno}: SQL belongs to leadgen/store"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    ]


@pytest.fixture(scope="module")
def sql(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    found = {PurePath(path).stem: text for path, text in texts("leadgen/store/sql/*.sql").items()}
    assert "intake_queue" in found
    return found


def test_every_query_has_a_sentence(sql: dict[str, str]) -> None:
    assert [fault for table, text in sql.items() for fault in sentence_faults(f"{table}.sql", text)] == []


def test_every_query_is_used_and_every_used_one_exists(
    sql: dict[str, str], texts: Callable[[str], dict[str, str]]
) -> None:
    assert use_faults(sql, texts("leadgen/store/*.py")) == []


def test_sql_stands_in_the_store_only(texts: Callable[[str], dict[str, str]]) -> None:
    assert [fault for path, source in texts("leadgen/*.py").items() for fault in stray_faults(path, source)] == []


MODULE = '_SQL: Final = load("jobs")\n_SQL["find_job"]\n'


def test_a_query_without_a_sentence_is_found() -> None:
    assert len(sentence_faults("jobs.sql", "-- find_job --\nSELECT 1\n")) == 1
    assert len(sentence_faults("jobs.sql", "-- find_job --\n-- no full stop\nSELECT 1\n")) == 1
    assert sentence_faults("jobs.sql", "-- find_job --\n-- Find it,\n-- wherever.\nSELECT 1\n") == []


def test_a_query_that_nobody_uses_is_found() -> None:
    sql = {"jobs": "-- find_job --\n-- A.\nSELECT 1\n\n-- find_all --\n-- B.\nSELECT 2\n"}
    assert use_faults(sql, {"jobs.py": MODULE}) == ["sql/jobs.sql: nobody uses find_all"]


def test_a_name_without_a_query_is_found() -> None:
    assert use_faults({"jobs": ""}, {"jobs.py": MODULE}) == ["jobs.py: there is no query find_job in sql/jobs.sql"]
    assert use_faults({"jobs": "-- find_job --\n-- A.\nSELECT 1\n"}, {"jobs.py": MODULE}) == []


@pytest.mark.parametrize(
    "text", ["SELECT 1 FROM app.leads", "INSERT INTO app.leads VALUES (1)", "CREATE DATABASE x"]
)
def test_sql_outside_the_store_is_found(text: str) -> None:
    assert len(stray_faults("leadgen/jobs/drain.py", f"query = f'{text}'")) == 1
    assert stray_faults("leadgen/store/queue.py", f"query = '{text}'") == []


@pytest.mark.parametrize("text", ["Select a service", "SELECT", "With what the person wrote.", "UPDATED: now"])
def test_words_that_are_no_sql_are_left_alone(text: str) -> None:
    assert stray_faults("leadgen/jobs/drain.py", f"query = '{text}'") == []
