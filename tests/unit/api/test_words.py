"""The words that clients and operators read: one place, one form, and a reference that keeps up with them."""

import re
from pathlib import Path

import pytest

from leadgen.api.problems import CATALOGUE, ProblemType

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "api-errors.md"
KINDS = pytest.mark.parametrize("kind", CATALOGUE.values(), ids=list(CATALOGUE))


@KINDS
def test_a_problem_has_a_title_without_a_stop_and_sentences_with_one(kind: ProblemType) -> None:
    assert kind.title[0].isupper()
    assert not kind.title.endswith(".")
    for text in (kind.meaning, kind.remedy):
        assert text[0].isupper()
        assert text.endswith(".")
        assert text.count("`") % 2 == 0
        assert "  " not in text


@KINDS
def test_a_slug_is_small_words_with_hyphens(kind: ProblemType) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)


def test_no_two_problems_share_a_title() -> None:
    assert len({kind.title for kind in CATALOGUE.values()}) == len(CATALOGUE)


def section(kind: ProblemType) -> str:
    return f"## {kind.slug}\n\n{kind.status} {kind.title}\n\n{kind.meaning}\n\n{kind.remedy}\n"


@KINDS
def test_the_reference_has_a_section_with_the_words_of_the_catalogue(kind: ProblemType) -> None:
    assert section(kind) in REFERENCE.read_text(encoding="utf-8"), f"write into {REFERENCE.name}:\n{section(kind)}"


def test_every_section_of_the_reference_is_a_problem() -> None:
    headings = re.findall(r"^## (.+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(CATALOGUE)
