"""Every alert that a host can send has its paragraph in the runbook, and every paragraph its alert."""

import re
from collections.abc import Callable

from deploys.services.alerts import state
from tests.conventions.alerts_runbook import PAGE, paragraphs


def ids(program: str) -> set[str]:
    """The ids of what a program can report, up to a colon; comments do not count."""
    code = re.sub(r"^ *#.*$", "", program, flags=re.MULTILINE)
    pairs = re.findall(r"""\bends ["']?([a-z][a-z-]+)[^\s"']*["']? ["']?([a-z][a-z-]+)""", code)
    alone = re.findall(r"""\b(?:alarm|notice) \\?\s*["']?([a-z][a-z-]+)""", code)
    return {*alone, *re.findall(r"'([a-z][a-z-]+)\\talarm\\t", code), *(id_ for pair in pairs for id_ in pair)}


def test_every_alert_is_explained_and_every_explained_one_exists(texts: Callable[[str], dict[str, str]]) -> None:
    found = ids("\n".join(texts("deploys/services/alerts/templates/*").values()))
    (page,) = texts(PAGE).values()
    assert len(found) > 25, "the patterns must still find the alerts"
    assert found == set(paragraphs(page))
    assert [title for title, text in paragraphs(page).items() if not text.endswith(".")] == []


def test_what_status_leaves_out_are_alerts_that_exist(texts: Callable[[str], dict[str, str]]) -> None:
    (page,) = texts(PAGE).values()
    assert set(state.KNOWN) - set(paragraphs(page)) == set()


def test_alerts_are_found_in_a_program_and_on_a_page() -> None:
    program = """
    # This alarm never is one.
    alarm disk-full "$place"
    alarm "unit:$id" 'it' || notice \\
        old-key "a key"
    ends "key-soon:$key" "key-now:$key" "$what"
    ends soon now 'it' 1
    printf 'check-silent\\talarm\\t%s'
    line alarm "$1" "$2"
    """
    assert ids(program) == {
        *("disk-full", "unit", "old-key", "key-soon", "key-now", "soon", "now", "check-silent"),
    }
    assert paragraphs("# A\n\nx\n\n## one\n\nText.\n\n## two\n\nMore.\n") == {"one": "Text.", "two": "More."}
