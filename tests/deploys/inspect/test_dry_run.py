"""A page's state and what it would change become one finding, or none; and what ends it is what to run."""

from dataclasses import replace

import pytest

from deploys.inspect import dry_run
from deploys.inspect.finding import Finding
from deploys.kit.plan import runbook
from deploys.kit.run.steps import Step

REDIS = runbook.find("PLAT_08B")
PASSED = Step("PLAT_08B", "lab-1", "c", "2026-11-21", "run-1", "abc")


def what(step: Step | None, *changes: str) -> list[str]:
    return [finding.what for finding in dry_run.judge(REDIS, step, changes)]


def test_a_page_with_nothing_to_do_is_no_finding_and_one_with_something_names_it() -> None:
    assert dry_run.judge(REDIS, PASSED, []) == []
    assert dry_run.judge(REDIS, PASSED, ["backup of files (/a)", "settings (/a)", "runs", "on record"]) == [
        Finding("page", "PLAT_08B", "would change: settings (/a), runs", "deploys/plat_08b.py")
    ]


def test_a_page_of_another_checkout_is_told_by_which_one_passed() -> None:
    assert what(PASSED, "on record") == ["has changed since it last passed (2026-11-21, lab-1, abc)"]


@pytest.mark.parametrize("step", [None, Step("PLAT_08B", red="run-2")])
def test_a_page_that_never_passed_is_told_without_what_it_would_do(step: Step | None) -> None:
    assert what(step, "settings (/a)") == ["has not passed on this host"]


def test_an_unreadable_record_is_named_with_its_file() -> None:
    assert what(Step("PLAT_08B", unreadable=True), "settings (/a)") == [
        "has an unreadable record on this host, /var/lib/motorcade/steps/PLAT_08B.json"
    ]


def test_a_page_that_failed_since_is_told_by_the_run() -> None:
    assert what(replace(PASSED, red="run-2"), "settings (/a)") == ["has been red since run-2"]


def test_a_closed_page_needs_the_word_of_its_owner() -> None:
    (found,) = dry_run.judge(runbook.find("PLAT_07"), Step("PLAT_07", passed="x"), ["runs"])
    assert found.remedy == "deploys/plat_07.py --data unlock=PLAT_07 --data reason='…'"
