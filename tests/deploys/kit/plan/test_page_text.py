"""The docstring of a page: its parts are read whole, and what is missing is named with the file."""

from pathlib import Path

import pytest

from deploys.kit.errors import Refused
from deploys.kit.plan import page_text
from deploys.kit.plan.page_text import Text

PARTS = {
    "Purpose": "Redis starts: once.",
    "Leaves": "A unit,\n    and a volume.",
    "Verify": "It answers.",
    "Differs": "It is\nlater.",
}


def page(folder: Path, *paragraphs: str) -> Path:
    path = folder / "plat_08c.py"
    text = "\n\n".join(["PLAT_08C: Redis is up.", *paragraphs])
    path.write_text(f'"""{text}\n"""\n\nfrom deploys.kit import page\n')
    return path


def paragraphs(**changed: str) -> list[str]:
    return [f"{name}: {text}" for name, text in {**PARTS, **changed}.items() if text]


def test_each_part_is_read_as_one_line(tmp_path: Path) -> None:
    assert page_text.read(page(tmp_path, *paragraphs())) == Text(
        "Redis starts: once.", "A unit, and a volume.", "It answers.", "It is later."
    )


def test_a_page_need_not_differ_from_the_company_s_runbook(tmp_path: Path) -> None:
    assert page_text.read(page(tmp_path, *paragraphs(Differs=""))).differs == ""


@pytest.mark.parametrize("name", ["Purpose", "Leaves", "Verify"])
def test_a_missing_part_is_refused_with_the_file_and_the_part(name: str, tmp_path: Path) -> None:
    path = page(tmp_path, *paragraphs(**{name: ""}))
    with pytest.raises(Refused) as refused:
        page_text.read(path)
    assert str(refused.value) == (
        f"{path}: its docstring has no {name}; write it as CONTRIBUTING.md shows under `A page`"
    )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (paragraphs(Leaves="a unit"), "has no sentence under Leaves"),
        (paragraphs(Verify=" "), "has no sentence under Verify"),
        ([*paragraphs(), "Verify: Again."], "has Verify twice"),
        ([*paragraphs(), "Note: this."], "has a paragraph that is not one of Purpose, Leaves, Verify, Differs"),
        ([*paragraphs(), "A thought"], "has a paragraph that is not one of Purpose, Leaves, Verify, Differs"),
        ([], "has no Purpose, has no Leaves, has no Verify"),
    ],
)
def test_a_docstring_of_another_form_is_refused(changed: list[str], fault: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        page_text.read(page(tmp_path, *changed))
    assert f"its docstring {fault};" in str(refused.value)


def test_a_page_without_a_docstring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plat_77.py").write_text("x = 1\n")
    with pytest.raises(Refused, match="has no Purpose"):
        page_text.read(tmp_path / "plat_77.py")
