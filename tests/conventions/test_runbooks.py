"""Every command of a page for operators is run by a lab test, or is listed with the reason why not."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise, product

import pytest

from deploys.kit.plan import services
from deploys.kit.secrets import __main__ as secrets
from deploys.kit.secrets.manifest import Rule
from tests.runbooks import pages
from tests.runbooks.not_run import NOT_RUN, reason
from tests.runbooks.pages import SHOWN, Command

WHOLE = "follow"  # runs all commands of a page
RUN = "bin/pyinfra "
ONE = ("written", "deployed")  # run one of them


def calls(source: str) -> Iterator[tuple[str, str]]:
    """Page and part of each command that a test runs; an empty part is every command of the page."""
    tree = ast.parse(source)
    shared = _names(node for node in tree.body if isinstance(node, ast.Assign))
    for test in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        names = shared | _names(node for node in ast.walk(test) if isinstance(node, ast.For))
        for node in ast.walk(test):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                words = [_texts(argument, names) for argument in node.args]
                if node.func.attr == WHOLE and words:
                    yield from product(words[0], [""])
                elif node.func.attr in ONE and len(words) > 1:
                    yield from product(words[0], filter(None, words[1]))


def _names(nodes: Iterable[ast.Assign | ast.For]) -> dict[str, list[ast.expr]]:
    """What a name stands for: the value given to it, or each that a loop goes through."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        target, value = (node.targets[0], node.value) if isinstance(node, ast.Assign) else (node.target, node.iter)
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).extend(value.elts if isinstance(value, ast.Tuple) else [value])
    return found


def _texts(node: ast.expr, names: Mapping[str, list[ast.expr]]) -> list[str]:
    """All that an expression of literals and names can be; nothing for another one."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Name(id=name):
            return [text for value in names.get(name, []) for text in _texts(value, names)]
        case ast.FormattedValue(value=value):
            return _texts(value, names)
        case ast.JoinedStr(values=parts):
            return ["".join(pieces) for pieces in product(*(_texts(part, names) for part in parts))]
    return []


def unrun(commands: list[Command], run: set[tuple[str, str]]) -> list[str]:
    """Commands that no test runs and for which no reason is given."""
    return [
        f"{each.where}: run it in tests/lab, or say in tests/runbooks/not_run.py why not"
        for each in commands
        if not reason(each) and not any(page == each.page and part in each.text for page, part in run)
    ]


@pytest.fixture(scope="module")
def every() -> list[Command]:
    return [each for found in pages.every().values() for each in found]


@pytest.fixture(scope="module")
def run(texts: Callable[[str], dict[str, str]]) -> set[tuple[str, str]]:
    return {call for source in texts("tests/lab/test_*.py").values() for call in calls(source)}


def test_every_command_of_a_page_is_run_on_a_lab_host_or_has_a_reason(
    every: list[Command], run: set[tuple[str, str]]
) -> None:
    assert unrun(every, run) == []


def test_what_is_not_run_is_on_its_page_and_by_no_test(every: list[Command], run: set[tuple[str, str]]) -> None:
    listed = {(page, text) for page, texts in NOT_RUN.items() for text in texts}
    assert listed - {(each.page, each.text) for each in every} == set(), "remove it from NOT_RUN"
    assert [call for call in run if call[1] and call in listed] == []


def test_what_a_block_shows_instead_of_commands_is_on_a_page(texts: Callable[[str], dict[str, str]]) -> None:
    written = "".join(text for folder in pages.FOLDERS for text in texts(f"{folder}/*.md").values())
    assert [begins for begins in SHOWN if begins not in written] == [], "remove it from SHOWN"


def test_a_command_that_is_added_to_a_page_is_found_until_a_test_runs_it() -> None:
    page = "docs/runbooks/made.md"
    text = "Look:\n\n    .venv/bin/look --at prod\n    touch \\\n        this\n\nThen `touch that`, or `--look`.\n"
    found = list(pages.commands(page, text))
    assert [each.text for each in found] == [".venv/bin/look --at prod", "touch \\\n    this", "touch that"]
    source = 'MADE = "docs/runbooks/made.md"\ndef test_a(desk):\n    desk.follow(f"{MADE}", at={})\n'
    assert unrun(found, set(calls(source))) == []
    looped = f'def test_a(desk):\n    for part in ("look", "touch"):\n        desk.written("{page}", part)'
    assert unrun(found, set(calls(looped))) == []
    unknown = f'def test_a(desk, part): desk.written("{page}", part)'
    assert len(unrun(found, set(calls(unknown)))) == 3
    assert len(unrun(found, set())) == 3
    one = f'def test_a(desk): desk.written("{page}", "look --at")'
    assert [fault.partition(": run")[0] for fault in unrun(found, set(calls(one)))] == [
        f"{page}:3: touch \\\n    this",
        f"{page}:7: touch that",
    ]


def rotations(text: str) -> dict[str, str]:
    """The command below each comment that names secrets."""
    lines = [line.strip() for line in text.splitlines()]
    return {
        comment.removeprefix("# "): line
        for comment, line in pairwise(lines)
        if comment.startswith("# ") and RUN in line
    }


def test_the_command_that_brings_a_rotated_secret_to_the_hosts_is_the_one_that_the_tool_prints(
    texts: Callable[[str], dict[str, str]],
) -> None:
    shown = [pair for text in texts("docs/runbooks/*.md").values() for pair in rotations(text).items()]
    assert len(shown) >= 5
    for names, command in shown:
        declared = [services.secrets()[name] for name in names.split(" and ")]
        consumers = tuple(page for secret in declared for page in secret.consumers)
        assert command == secrets.delivery("prod", Rule(consumers, 0)), names


def test_after_a_release_and_a_roll_back_every_page_that_uses_the_pin_runs(
    texts: Callable[[str], dict[str, str]],
) -> None:
    using = {page for page, source in texts("deploys/*.py").items() if "LEADGEN.pin(" in source}
    using = {page for page in using if page.count("/") == 1} - {"deploys/restore.py"}
    assert len(using) >= 5
    for page, itself in (("release", "deploys/leadgen_02.py"), ("roll-back", "")):
        (command,) = [
            each.text for each in pages.of(f"docs/runbooks/{page}.md") if "deploys/leadgen_07c.py" in each.text
        ]
        named = set(command.split()[2:])
        assert using - {itself} - named == set()
