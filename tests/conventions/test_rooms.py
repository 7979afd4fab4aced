"""Who imports whom: imports run cli -> api, jobs -> store -> domain, and each library has one room."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import NamedTuple

import pytest

LEAVES = {"__version__", "config", "errors", "log"}


class Room(NamedTuple):
    """What a room may import: of leadgen (a dotted name opens only that part), and of other packages."""

    ours: set[str]
    others: set[str]


ROOMS = {
    "__init__": Room(set(), set()),
    "errors": Room(set(), set()),
    "log": Room(set(), set()),
    "config": Room({"errors", "domain.erasure", "domain.us_states"}, set()),
    "domain": Room({"errors"}, set()),
    "store": Room({*LEAVES, "domain"}, {"psycopg", "psycopg_pool"}),
    "jobs": Room({*LEAVES, "store", "domain"}, {"redis", "rq"}),
    "api": Room(
        {*LEAVES, "jobs.protocol", "store", "domain"},
        {"apispec", "email_validator", "flask", "gevent", "gunicorn", "markupsafe", "marshmallow", "phonenumbers"}
        | {"prometheus_client", "werkzeug"},
    ),
    "dev": Room({*LEAVES, "api", "jobs", "store", "domain"}, {"flask", "rich"}),
    "wsgi": Room({*LEAVES, "dev", "api", "jobs", "store"}, {"flask"}),
    "cli": Room({*LEAVES, "dev", "api", "jobs", "store", "domain"}, {"click", "rich"}),
    "__main__": Room({"cli"}, set()),
}


def room_of(path: str) -> str:
    """leadgen/store/queue.py -> store; leadgen/log.py -> log."""
    first = PurePath(path).relative_to("leadgen").parts[0]
    return first.removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, wherever it stands: in functions and TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "importlib.import_module"}:
            yield node.lineno, "." + ast.unparse(node)


def import_faults(path: str, source: str) -> list[str]:
    room = room_of(path)
    if room not in ROOMS:
        return [f"{path}: the room {room} has no line in ROOMS; say there what it may import"]
    return [
        f"{path}:{line}: {room} may not import {name}"
        for line, name in imports(ast.parse(source))
        if not may_import(room, name)
    ]


def may_import(room: str, name: str) -> bool:
    package, _, inside = name.partition(".")
    if package == "leadgen":
        return any(f"{inside}.".startswith(f"{open_}.") for open_ in ROOMS[room].ours | {room})
    return package in sys.stdlib_module_names or package in ROOMS[room].others


def environment_faults(path: str, source: str) -> list[str]:
    """Uses of the process's environment outside config.py."""
    if path == "leadgen/config.py":
        return []
    forbidden = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    tree = ast.parse(source)
    uses = {(node.lineno, ast.unparse(node)) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return [
        f"{path}:{line}: {name} belongs to leadgen/config.py"
        for line, name in sorted(uses | set(imports(tree)))
        if name in forbidden
    ]


def unused_permissions(sources: dict[str, str]) -> set[str]:
    """Packages that a room may import and does not: a table that allows too much judges too little."""
    used = {
        f"{room_of(path)}: {name.partition('.')[0]}"
        for path, source in sources.items()
        for _, name in imports(ast.parse(source))
    }
    return {f"{name}: {package}" for name, room in ROOMS.items() for package in room.others} - used


@pytest.fixture(scope="module")
def sources(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    found = texts("leadgen/*.py")
    assert len(found) > 40, "the pattern must still find the code"
    return found


def test_every_room_imports_only_what_its_line_in_the_table_allows(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in import_faults(path, source)] == []


def test_the_environment_is_read_in_config_only(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in environment_faults(path, source)] == []


def test_the_table_allows_no_package_that_its_room_does_not_use(sources: dict[str, str]) -> None:
    assert unused_permissions(sources) == set()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("leadgen/domain/fee.py", "import psycopg"),
        ("leadgen/domain/fee.py", "from leadgen.store import queue"),
        ("leadgen/store/queue.py", "from leadgen.jobs.drain import drain"),
        ("leadgen/store/queue.py", "def f():\n    import redis"),
        ("leadgen/jobs/drain.py", "from leadgen.api.app import create_app"),
        ("leadgen/api/app.py", "from leadgen.jobs.doorbell import RedisDoorbell"),
        ("leadgen/api/app.py", "from leadgen.jobs import protocol_of_another_name"),
        ("leadgen/api/app.py", "import redis"),
        ("leadgen/api/app.py", "import leadgen.cli.keys"),
        ("leadgen/dev/supervisor.py", "from psycopg import sql"),
        ("leadgen/store/queue.py", "from .. import api"),
        ("leadgen/store/queue.py", "import importlib\nimportlib.import_module('leadgen.api')"),
        ("leadgen/log.py", "from leadgen.config import load"),
        ("leadgen/cellar/wine.py", "import json"),
    ],
)
def test_an_import_against_the_table_is_found(path: str, source: str) -> None:
    assert len(import_faults(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("leadgen/api/app.py", "from leadgen.jobs.protocol import Doorbell"),
        ("leadgen/api/app.py", "from leadgen.jobs import protocol"),
        ("leadgen/store/queue.py", "from psycopg.rows import class_row\nfrom leadgen import log"),
        ("leadgen/cli/jobs.py", "import click\nfrom leadgen.cli.check import check"),
    ],
)
def test_an_import_by_the_table_is_left_alone(path: str, source: str) -> None:
    assert import_faults(path, source) == []


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['HOME']", "import os\nos.getenv('A')", "from os import environ"]
)
def test_a_look_at_the_environment_is_found_outside_config(source: str) -> None:
    assert len(environment_faults("leadgen/jobs/drain.py", source)) == 1
    assert environment_faults("leadgen/config.py", source) == []


def test_a_permission_that_nobody_uses_is_found() -> None:
    assert "jobs: redis" in unused_permissions({"leadgen/jobs/bell.py": "import rq"})
    assert "jobs: rq" not in unused_permissions({"leadgen/jobs/bell.py": "import rq"})
