"""Errors people read: `<where>: <what is wrong>; <what to do>` for operators, a known type for clients."""

import ast
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

from leadgen.api.problems import CATALOGUE
from leadgen.cli import COMMANDS
from leadgen.errors import LeadgenError

for command in COMMANDS:
    import_module(f"leadgen.cli.{command}")  # together, every room, and so every error there is
PARTS = ("where", "what", "remedy")


def operator_errors() -> set[str]:
    """The names of LeadgenError and of those below it that take its three parts."""
    classes = [LeadgenError]
    for found in classes:
        classes += found.__subclasses__()
    return {found.__name__ for found in classes if found.__init__ is LeadgenError.__init__}


def calls(source: str, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node


def end_of(text: ast.expr) -> str:
    """The last character that the code itself writes; empty where the text ends with a value."""
    if isinstance(text, ast.JoinedStr):
        text = text.values[-1]
    return text.value[-1:] if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""


def message_faults(path: str, source: str) -> list[str]:
    """The form puts `: ` and `; ` between the parts, so none of them ends with a mark of its own."""
    faults = []
    for call in calls(source, operator_errors()):
        if len(call.args) != len(PARTS):
            faults.append(f"{path}:{call.lineno}: an error has three parts: {', '.join(PARTS)}")
        faults += [
            f"{path}:{call.lineno}: `{name}` ends with `{end}`"
            for name, part in zip(PARTS, call.args, strict=False)
            if (end := end_of(part)) and end in ".:;,! "
        ]
    return faults


def problem_faults(path: str, source: str) -> list[str]:
    """Types of problem that the catalogue does not know: raising one would end in another error."""
    return [
        f"{path}:{call.lineno}: the catalogue has no {slug.value!s}"
        for call in calls(source, {"Problem"})
        if isinstance(slug := call.args[0], ast.Constant) and slug.value not in CATALOGUE
    ]


@pytest.fixture(scope="module")
def sources(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return texts("leadgen/*.py")


def test_every_error_for_operators_has_the_one_form(sources: dict[str, str]) -> None:
    assert sum(len(list(calls(source, operator_errors()))) for source in sources.values()) > 10
    assert [fault for path, source in sources.items() for fault in message_faults(path, source)] == []


def test_every_problem_for_clients_is_in_the_catalogue(sources: dict[str, str]) -> None:
    assert sum(len(list(calls(source, {"Problem"}))) for source in sources.values()) > 10
    assert [fault for path, source in sources.items() for fault in problem_faults(path, source)] == []


@pytest.mark.parametrize(
    "call",
    [
        "KeyFileError('keys', 'it is empty.', 'add a line')",
        "LeadgenError('keys:', 'it is empty', 'add a line')",
        "LeadgenError('keys', f'{path} is empty; ', 'add a line')",
        "MigrationError('keys', 'it is empty')",
    ],
)
def test_an_error_of_another_form_is_found(call: str) -> None:
    assert len(message_faults("leadgen/cli/keys.py", f"raise {call}")) == 1
    assert message_faults("leadgen/cli/keys.py", "raise LeadgenError('keys', f'it lacks {name}', 'add it')") == []


def test_a_problem_that_is_not_in_the_catalogue_is_found() -> None:
    assert len(problem_faults("leadgen/api/body.py", "raise Problem('mislaid')")) == 1
    assert problem_faults("leadgen/api/body.py", "raise Problem('not-found')") == []
