"""Superseded pages: each carries a whole banner and refuses to run; what does not is found."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from deploys.kit.errors import Refused
from deploys.kit.plan import deprecated, runbook

PROJECT = Path(__file__).parents[4]
REST = "\nfrom deploys.kit.plan import deprecated\n\ndeprecated.refuse(__file__)\n\nprint('touched')\n"


def banner(reason: str = "PostgreSQL ran as root", day: str = "2026-11-21", replacement: str = "PLAT_02B") -> str:
    return f"# DEPRECATED - DO NOT RUN\n# Reason: {reason}\n# Date: {day}\n# Replacement: {replacement}\n"


def faults(path: Path) -> Iterator[str]:
    """What keeps a file of deploys/deprecated from being safely there."""
    try:
        deprecated.read(path)
    except Refused as error:
        yield str(error)
    if not refuses_first(path.read_text(encoding="utf-8")):
        yield f"{path}: something stands before deprecated.refuse(__file__)"


def refuses_first(text: str) -> bool:
    """Whether nothing but a docstring and the one import stands before the refusal."""
    body = ast.parse(text).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return [ast.unparse(node) for node in body[:2]] == [
        "from deploys.kit.plan import deprecated",
        "deprecated.refuse(__file__)",
    ]


def made(folder: Path, text: str) -> Path:
    path = folder / "plat_02b_as_root.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_superseded_page_has_its_banner_and_refuses() -> None:
    found = sorted((PROJECT / "deploys/deprecated").rglob("*.py"))
    assert [fault for path in found for fault in faults(path)] == []


def test_the_runbook_lists_no_superseded_page() -> None:
    listed = {Path(entry.file).parent for entry in runbook.ORDER}
    assert listed == {Path("deploys")}
    assert "deprecated/" not in (PROJECT / "docs/RUNBOOK.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", [banner(), '"""' + banner().replace("# ", "") + '"""\n'], ids=["comment", "docstring"]
)
def test_a_whole_banner_is_read(text: str, tmp_path: Path) -> None:
    path = made(tmp_path, text + REST)
    assert deprecated.read(path) == deprecated.Banner("PostgreSQL ran as root", date(2026, 11, 21), "PLAT_02B")
    assert list(faults(path)) == []


def test_a_superseded_page_refuses_with_its_reason_and_its_replacement(tmp_path: Path) -> None:
    path = made(tmp_path, banner())
    with pytest.raises(Refused) as refused:
        deprecated.refuse(str(path))
    assert str(refused.value) == (
        f"{path}: deprecated since 2026-11-21 (PostgreSQL ran as root); run deploys/plat_02b.py instead"
    )


def test_a_superseded_page_without_a_replacement_says_so(tmp_path: Path) -> None:
    path = made(tmp_path, banner(replacement="none"))
    with pytest.raises(Refused, match=r"; nothing replaces it$"):
        deprecated.refuse(str(path))


def test_pyinfra_stops_at_a_superseded_page_before_it_touches_anything(tmp_path: Path) -> None:
    path = made(tmp_path, banner() + REST)
    pyinfra = Path(sys.executable).with_name("pyinfra")
    ended = subprocess.run(
        [pyinfra, "-y", "@local", path], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "deprecated since 2026-11-21 (PostgreSQL ran as root)" in ended.stdout + ended.stderr
    assert "touched" not in ended.stdout


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "its first line is not 'DEPRECATED - DO NOT RUN', its banner has no Reason"),
        (banner().replace("DO NOT RUN", "do not run"), "its first line is not"),
        ("\n" + banner(), "its first line is not"),
        (banner(reason=""), "its banner has no Reason; write the banner as docs/policies/deprecation.md shows it"),
        (banner().replace("# Date: 2026-11-21\n", ""), "its banner has no Date"),
        (banner(day="2026-02-30"), "'2026-02-30' is no date"),
        (banner(day="20261121"), "'20261121' is no date"),
        (banner(replacement="PLAT_99"), "'PLAT_99' is no page that is ready, nor 'none'"),
        (banner(replacement="PLAT_06"), "'PLAT_06' is no page that is ready, nor 'none'"),
    ],
)
def test_a_banner_that_is_not_whole_is_found_and_refused_all_the_same(
    text: str, fault: str, tmp_path: Path
) -> None:
    path = made(tmp_path, text)
    with pytest.raises(Refused) as refused:
        deprecated.refuse(str(path))
    assert fault in str(refused.value)
    assert fault in " ".join(faults(path))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "from deploys.kit import page\n",
        "from deploys.kit.plan import deprecated\n\nprint('touched')\n\ndeprecated.refuse(__file__)\n",
        "from deploys.kit.plan import deprecated\n\n# deprecated.refuse(__file__)\n",
    ],
)
def test_a_superseded_page_that_would_run_is_found(body: str, tmp_path: Path) -> None:
    path = made(tmp_path, banner() + body)
    assert list(faults(path)) == [f"{path}: something stands before deprecated.refuse(__file__)"]
