"""The rules for Prometheus: each leads to its paragraph in the runbook, and its test makes it begin and end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.conventions.alerts_runbook import PAGE, paragraphs

FOLDER = "docs/leadgen/monitoring"


def rule_faults(rule: dict[str, Any], page: str) -> Iterator[str]:
    """What a person whom this rule wakes would miss."""
    said = rule.get("annotations", {})
    if said.get("runbook") not in {f"{PAGE}#{title}" for title in paragraphs(page)}:
        yield f"{rule['alert']}: its runbook, {said.get('runbook')}, is not a paragraph of {PAGE}"
    if not said.get("summary", "").endswith("."):
        yield f"{rule['alert']}: its summary is not a sentence"


def faults_of_tests(alert: str, tests: list[dict[str, Any]]) -> Iterator[str]:
    """Whether some test sees the alert, and sees it end afterwards."""
    seen = [
        [bool(look["exp_alerts"]) for look in test["alert_rule_test"] if look["alertname"] == alert]
        for test in tests
    ]
    if not any(True in looks and looks[-1] is False for looks in seen):
        yield f"{alert}: no test sees it begin and end"
    if not any(looks and True not in looks for looks in seen):
        yield f"{alert}: no test sees that it is quiet on a host that is well"


@pytest.fixture(scope="module")
def rules(texts: Callable[[str], dict[str, str]]) -> list[dict[str, Any]]:
    (text,) = texts(f"{FOLDER}/leadgen.rules.yaml").values()
    found = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    assert len(found) >= 5
    return found


def test_every_rule_leads_to_its_paragraph(
    rules: list[dict[str, Any]], texts: Callable[[str], dict[str, str]]
) -> None:
    (page,) = texts(PAGE).values()
    assert [fault for rule in rules for fault in rule_faults(rule, page)] == []


def test_every_rule_is_seen_to_begin_and_to_end(
    rules: list[dict[str, Any]], texts: Callable[[str], dict[str, str]]
) -> None:
    (text,) = texts(f"{FOLDER}/leadgen.rules-test.yaml").values()
    tests = yaml.safe_load(text)["tests"]
    assert [fault for rule in rules for fault in faults_of_tests(rule["alert"], tests)] == []


def test_a_rule_without_its_paragraph_or_its_sentence_is_found() -> None:
    good = {"alert": "A", "annotations": {"runbook": f"{PAGE}#one", "summary": "It fails."}}
    page = "# A\n\n## one\n\nText.\n"
    assert list(rule_faults(good, page)) == []
    assert (
        len(list(rule_faults({**good, "annotations": {"runbook": f"{PAGE}#two", "summary": "It fails."}}, page)))
        == 1
    )
    assert len(list(rule_faults({**good, "annotations": {}}, page))) == 2


def test_a_rule_whose_test_does_not_see_all_of_it_is_found() -> None:
    quiet = {"alert_rule_test": [{"alertname": "A", "exp_alerts": []}]}
    begins = {"alert_rule_test": [{"alertname": "A", "exp_alerts": [{}]}]}
    ends = {"alert_rule_test": [*begins["alert_rule_test"], *quiet["alert_rule_test"]]}
    assert list(faults_of_tests("A", [quiet, ends])) == []
    assert len(list(faults_of_tests("A", [quiet, begins]))) == 1
    assert len(list(faults_of_tests("A", [ends]))) == 1
    assert len(list(faults_of_tests("B", [quiet, ends]))) == 2
