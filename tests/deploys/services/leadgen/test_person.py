"""The operator's program for one person under dash and bash: no name in an argument, and no early success."""

import subprocess
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import render

# Podman as the program meets it. It keeps its words and what it was given; SQL answers as the store stands.
PODMAN = """#!/bin/sh
echo "$*" >>"$WORLD/words"
case $* in
    *psql*pg_switch_wal*) echo 000000010000000000000007 ;;
    *psql*pg_stat_archiver*) cat "$WORLD/archived" ;;
    *"leadgen person"*)
        [ ! -e "$WORLD/fails" ] || exit 1
        cat >>"$WORLD/given"
        echo 'leads 1'
        ;;
esac
"""
WHOM = "Dolores.Canary@example.com"
INSIDE = (
    "exec --interactive --env LEADGEN_ERASURE_KEY_FILE=/run/secrets/motorcade-leadgen-erasure-key"
    " motorcade-leadgen-sweeper leadgen person"
)


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A host whose archiving is on and up to date."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/on").write_text("1\n")
    (tmp_path / "archived").write_text("t\n")
    (tmp_path / "podman").write_text(PODMAN)
    (tmp_path / "podman").chmod(0o755)
    return tmp_path


def run(shell: str, world: Path, *words: str, whom: str = WHOM) -> subprocess.CompletedProcess[str]:
    script = world / "person"
    text = render("leadgen/person", page="PLAT_99", spool=world / "spool")
    script.write_text(text.replace("+ 180", "+ 1"))
    return subprocess.run(
        [shell, str(script), *words],
        input=f"{whom}\n" if whom else "",
        env={"PATH": f"{world}:/usr/bin:/bin", "WORLD": str(world), "SUDO_USER": "dora"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def asked(world: Path) -> list[str]:
    file = world / "words"
    return file.read_text().splitlines() if file.exists() else []


def test_an_erasure_ends_when_the_store_has_it_and_names_no_one_in_an_argument(shell: str, world: Path) -> None:
    done = run(shell, world, "erase", "--yes", "--reason", "a letter")
    assert (done.returncode, done.stdout) == (0, "leads 1\nerased, and the store has it\n")
    assert asked(world)[0] == f"{INSIDE} erase --email - --yes --by dora --reason a letter"
    assert (world / "given").read_text() == f"{WHOM}\n"
    assert "Canary" not in "".join(asked(world))


@pytest.mark.parametrize("late", ["archived", "spool", "off"])
def test_an_erasure_that_the_store_does_not_have_is_not_called_done(shell: str, world: Path, late: str) -> None:
    if late == "archived":
        (world / "archived").write_text("f\n")
    elif late == "spool":
        (world / "spool/000000010000000000000007").touch()
    else:
        (world / "spool/on").unlink()
    done = run(shell, world, "erase", "--yes")
    assert done.returncode == 1
    assert "erased here, but " in done.stdout
    assert "the store has it\n" not in done.stdout


def test_an_erasure_that_fails_is_not_called_done(shell: str, world: Path) -> None:
    (world / "fails").touch()
    done = run(shell, world, "erase", "--yes")
    assert (done.returncode, done.stdout) == (1, "")


def test_without_a_terminal_an_erasure_needs_the_word_for_it(shell: str, world: Path) -> None:
    done = run(shell, world, "erase")
    assert done.returncode == 2
    assert "give --yes" in done.stderr
    assert asked(world) == []


@pytest.mark.parametrize(
    ("words", "whom", "expected"),
    [
        (["find"], "(512) 555-0142", "find --phone -"),
        (["find"], WHOM, "find --email -"),
        (["export", "--reason", "asked"], WHOM, "export --email - --by dora --reason asked"),
    ],
)
def test_find_and_export_only_read(shell: str, world: Path, words: list[str], whom: str, expected: str) -> None:
    done = run(shell, world, *words, whom=whom)
    assert (done.returncode, done.stdout) == (0, "leads 1\n")
    assert asked(world) == [f"{INSIDE} {expected}"]


@pytest.mark.parametrize(("words", "whom"), [([], WHOM), (["forget"], WHOM), (["erase", "--yes"], "")])
def test_what_was_not_meant_so_does_nothing(shell: str, world: Path, words: list[str], whom: str) -> None:
    assert run(shell, world, *words, whom=whom).returncode == 2
    assert asked(world) == []
