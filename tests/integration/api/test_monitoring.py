"""Rules and dashboard beside real metrics: every name exists, and a real Prometheus answers every question."""

import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from leadgen.domain import api_key
from tests.integration.api.prometheus import DASHBOARD, RULES, RULES_TEST, scraping
from tests.integration.service import until
from tests.integration.stack import Stack

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
NOT_HERE = "Debian's package prometheus is not installed"
NAME = re.compile(r"\bleadgen_[a-z_]+\b")
ALERTS = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
SOON_SECONDS = 20
# What Grafana puts in their place: a few times the interval of the scrapes, and every host.
GRAFANA = {"$__rate_interval": "5s", "$instance": ".*"}


def targets(dashboard: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Title of the panel and expression, for each line that is drawn."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['legendFormat']}", target["expr"]


def filled(expression: str) -> str:
    for word, value in GRAFANA.items():
        expression = expression.replace(word, value)
    return expression


def scraping_by_key(stack: Stack) -> dict[str, Any]:
    """What makes a job scrape with a key that the API knows, as from another host."""
    key, line = api_key.mint("prometheus", frozenset({"metrics"}), None)
    with (stack.directory / "keys").open("a") as file:
        file.write(f"{line}\n")
    (stack.directory / "scrape-key").write_text(key)
    return {
        "metrics_path": "/lead/metrics",
        "authorization": {"credentials_file": str(stack.directory / "scrape-key")},
    }


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if not PROMTOOL:
        pytest.skip(NOT_HERE)
    return subprocess.run([PROMTOOL, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def dashboard() -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(DASHBOARD.read_text())


def test_every_metric_that_rules_and_dashboard_name_is_served(stack: Stack, dashboard: Any) -> None:  # noqa: ANN401 - see above
    with stack.serve():
        assert stack.post()[0] == 202
        text = stack.text("/metrics")
    served = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    rules = set(NAME.findall(RULES.read_text()))
    panels = {name for _, expression in targets(dashboard) for name in NAME.findall(expression)}
    assert len(rules) >= 5
    assert len(panels) >= 9
    assert rules - served == set()
    assert panels - served == set()


@pytest.mark.parametrize("by", ["its place", "a key"])
def test_a_real_prometheus_can_draw_all_of_the_dashboard_and_sees_an_api_that_goes(
    by: str,
    stack: Stack,
    tmp_path: Path,
    dashboard: Any,  # noqa: ANN401 - see above
) -> None:
    if not PROMETHEUS:
        pytest.skip(NOT_HERE)
    job = {"job_name": "leadgen", "static_configs": [{"targets": [f"127.0.0.1:{stack.port}"]}]}
    if by == "a key":
        job |= scraping_by_key(stack)
    with scraping(PROMETHEUS, tmp_path, job) as prometheus:
        with stack.serve():

            def undrawn() -> list[str]:
                stack.post()
                drawn = ((what, prometheus.query(filled(expression))) for what, expression in targets(dashboard))
                # Nothing was counted yet, so a ratio divides by zero and is NaN.
                return [what for what, values in drawn if not values or any(map(math.isnan, values))]

            assert until(lambda: undrawn() == [], SOON_SECONDS), undrawn()
            waiting = [stack.count("intake_jobs")]
            assert until(lambda: prometheus.query("leadgen_backlog") == waiting, SOON_SECONDS)
            assert until(lambda: set(prometheus.rules().values()) == {("ok", "inactive")}, SOON_SECONDS)
            assert list(prometheus.rules()) == ALERTS
        assert until(lambda: prometheus.rules()["LeadgenNotReady"] == ("ok", "pending"), SOON_SECONDS)


def test_promtool_finds_no_fault_in_the_rules() -> None:
    done = promtool("check", "rules", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_begins_and_ends_as_its_test_says() -> None:
    done = promtool("test", "rules", RULES_TEST)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expression", ["vector(1)", "vector(1) > 1"], ids=["always", "never"])
@pytest.mark.parametrize("alert", ALERTS)
def test_a_rule_that_says_something_else_fails_its_test(alert: str, expression: str, tmp_path: Path) -> None:
    document = yaml.safe_load(RULES.read_text())
    for rule in document["groups"][0]["rules"]:
        if rule["alert"] == alert:
            rule["expr"] = expression
    (tmp_path / RULES.name).write_text(yaml.safe_dump(document))
    shutil.copy(RULES_TEST, tmp_path)
    done = promtool("test", "rules", tmp_path / RULES_TEST.name)
    assert done.returncode != 0
    assert f"alertname: {alert}" in done.stdout + done.stderr
