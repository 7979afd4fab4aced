"""The reference pages say what the code says: each setting and each command, and nothing that is gone."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from leadgen.cli import COMMANDS, leadgen
from leadgen.config import PREFIX, Config

VARIABLE = re.compile(r"\bLEADGEN_[A-Z_]+[A-Z]\b")
SETTINGS = {PREFIX + setting.name.upper() for setting in fields(Config)}


@pytest.fixture(scope="module")
def write(project: Path) -> dict[str, Any]:
    """The names of the script that writes the pages."""
    return runpy.run_path(str(project / "docs/reference/write.py"))


def headings(page: str) -> list[str]:
    return re.findall(r"^## (.+)$", page, re.MULTILINE)


def help_faults(contexts: Iterator[click.Context], options: Callable[[click.Context], Any]) -> list[str]:
    """Commands, options and arguments without a sentence of help."""
    faults = []
    for context in contexts:
        if not (context.command.help or "").strip().endswith("."):
            faults.append(f"{context.command_path}: no sentence of help")
        faults += [
            f"{context.command_path} {written}: no sentence of help"
            for written, help_text in options(context)
            if not re.match(r".+\.( +\[.*\])?$", help_text)
        ]
    return faults


def unknown_variables(text: str) -> set[str]:
    """`LEADGEN_` variables that no release reads."""
    return {name for name in VARIABLE.findall(text) if name.removesuffix("_FILE") not in SETTINGS} - SETTINGS


@pytest.mark.parametrize("name", ["configuration.md", "cli.md"])
def test_the_page_is_what_the_code_says(name: str, write: dict[str, Any], project: Path) -> None:
    page = (project / "docs/reference" / name).read_text(encoding="utf-8")
    assert page == write["PAGES"][name](), "the page fell behind: run `make docs`"


def test_every_setting_has_its_heading_and_nothing_else_has(write: dict[str, Any]) -> None:
    assert set(headings(write["settings"]())) == SETTINGS


def test_every_setting_comes_with_its_meaning_and_its_default(write: dict[str, Any]) -> None:
    sections = write["settings"]().split("\n## ")[1:]
    for setting, section in zip(fields(Config), sections, strict=True):
        assert setting.metadata["meaning"] in section
        assert "- Default: " in section


def test_every_command_has_its_heading(write: dict[str, Any]) -> None:
    listed = headings(write["commands"]())
    assert {"leadgen serve", "leadgen keys new", "leadgen jobs replay"} <= set(listed)
    assert {line.split()[1] for line in listed} == set(COMMANDS)


def test_every_command_option_and_argument_has_a_sentence_of_help(write: dict[str, Any]) -> None:
    assert help_faults(write["walk"](leadgen), write["options"]) == []


def test_no_page_names_a_setting_that_is_not_there(texts: Callable[[str], dict[str, str]]) -> None:
    pages = texts("*.md") | texts("Makefile") | texts(".ci/*")
    assert {path: names for path, text in pages.items() if (names := unknown_variables(text))} == {}


def test_make_docs_mends_a_page_that_fell_behind(project: Path, tmp_path: Path) -> None:
    script = shutil.copy(project / "docs/reference/write.py", tmp_path)
    (tmp_path / "cli.md").write_text("# Commands\n\n## leadgen gone\n", encoding="utf-8")
    subprocess.run([sys.executable, script], cwd=project, env=os.environ, check=True)
    assert "leadgen gone" not in (tmp_path / "cli.md").read_text(encoding="utf-8")


def test_a_command_or_an_option_without_help_is_found(write: dict[str, Any]) -> None:
    @click.command(help="Wash it.")
    @click.option("--hot", help="At 60 degrees.")
    @click.option("--soap")
    @click.argument("garment")
    def wash(hot: str, soap: str, garment: str) -> None:
        """Never run."""

    @click.command()
    def dry() -> None: ...

    group = click.Group("laundry", commands={"wash": wash, "dry": dry})
    assert set(help_faults(write["walk"](group), write["options"])) == {
        "laundry dry: no sentence of help",
        "laundry wash GARMENT: no sentence of help",
        "laundry wash --soap TEXT: no sentence of help",
    }


def test_a_setting_that_is_not_there_is_found() -> None:
    assert unknown_variables("set LEADGEN_DATABASE_URI") == {"LEADGEN_DATABASE_URI"}
    assert (
        unknown_variables("set LEADGEN_DATABASE_URL, or LEADGEN_DATABASE_URL_FILE, or LEADGEN_API_KEYS_FILE")
        == set()
    )
