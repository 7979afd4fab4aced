"""Shell is checked where it hides: in quotes, templates, Containerfiles and Python."""

from pathlib import Path
from shlex import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shell import checker, literals, tree
from tests.shell.script import Script, dialect

FAULTY = 'rm "$1"/$2'
FAULT = "SC2086 Double quote to prevent globbing and word splitting."


def found(*scripts: Script) -> list[str]:
    return checker.faults([each for script in scripts for each in (script, *script.inner())])


def test_a_fault_is_named_by_where_its_script_is_from_and_its_line() -> None:
    assert found(Script("PLAT_99 | good", 'rm "$1"\n'), Script("PLAT_99 | bad", f"true\n{FAULTY}\n")) == [
        f"PLAT_99 | bad:2: {FAULT}"
    ]


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (f"timeout 5 sh -c {quote(FAULTY)}", "in its `sh -c`"),
        (f"sudo /bin/sh -euc {quote(FAULTY)} && true", "in its `sh -euc`"),
        (f"timeout 5 sh -c {quote(f'sh -c {quote(FAULTY)}')}", "in its `sh -c`, in its `sh -c`"),
        (f"true # it isn't quoted\nbash -c {quote(FAULTY)}", "in its `bash -c`"),
    ],
)
def test_a_fault_is_found_in_what_one_shell_hands_to_another(command: str, where: str) -> None:
    assert found(Script("PLAT_99 | bad", f"{command}\n")) == [f"PLAT_99 | bad, {where}:1: {FAULT}"]


def test_what_only_names_a_shell_is_no_script() -> None:
    assert list(Script("x", f"printf %s {quote(f'sh -c {quote(FAULTY)}')} # sh -c 'no'\n").inner()) == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_an_inner_script_is_the_text_that_was_quoted(text: str) -> None:
    inner = next(Script("x", f"timeout 5 sh -c {quote(text)}").inner())
    assert inner.text == text


def test_an_inner_script_stops_where_its_shell_does() -> None:
    assert found(Script("x", "sh -euc 'cd /x; rm y'\n")) == []
    assert len(found(Script("x", "sh -c 'cd /x; rm y'\n"))) == 1


def test_only_commands_may_do_what_is_right_for_what_a_program_puts_together() -> None:
    loop = 'for each in one; do echo "$each"; done\n'
    assert found(Script("x", loop)) == []
    assert len(found(Script("x", loop, is_file=True))) == 1


def test_a_script_that_reads_another_knows_what_that_one_sets() -> None:
    library = Script(
        "deploys/library as rendered", "# shellcheck disable=SC2034 # for readers\nplace=/x\n", is_file=True
    )
    program = Script("a", '# shellcheck source=library\n. /usr/lib/library\necho "$place"\n', is_file=True)
    assert found(library, program) == []
    assert len(found(program)) == 2  # the source is not there, and so the variable is unknown


@pytest.mark.parametrize(
    ("path", "first", "expected"),
    [
        ("a", "#!/bin/sh", "sh"),
        ("a", "#!/usr/bin/env bash", "bash"),
        ("a", "# shellcheck shell=sh disable=SC2034 # why", "sh"),
        ("a.sh", "# what it does", "sh"),
        ("a", "#!/usr/bin/perl", None),
        ("a.py", '"""What it does."""', None),
    ],
)
def test_a_script_is_known_by_its_first_line_or_its_suffix(path: str, first: str, expected: str | None) -> None:
    assert dialect(path, f"{first}\n") == expected


def test_files_are_found_wherever_they_lie(tmp_path: Path) -> None:
    for path, text in {
        ".ci/run": f"#!/bin/sh\n{FAULTY}\n",
        "containers/x/Containerfile": "FROM y\nRUN set -eu; \\\n    rm $PATH\nUSER 1\n",
        "deploys/services/x/templates/a.sh": "echo {{ page }}\n",
        ".venv/bin/a.sh": f"{FAULTY}\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert found(*tree.scripts(tmp_path)) == [
        f".ci/run:2: {FAULT}",
        f"containers/x/Containerfile:2 RUN:2: {FAULT}",
    ]
    assert tree.templates(tmp_path) == {"deploys/services/x/templates/a.sh"}


def test_shell_in_python_that_nothing_emitted_is_seen(tmp_path: Path) -> None:
    (tmp_path / "deploys").mkdir()
    source = '"""Not $(this)."""\n\nONE = f"echo $({two}) && true"\nTHREE = "plain words"\n'
    (tmp_path / "deploys/a.py").write_text(source)
    assert literals.unseen(tmp_path, "") == ["deploys/a.py:3: echo $(", "deploys/a.py:3: ) && true"]
    assert literals.unseen(tmp_path, "x; echo $(date) && true") == []
