"""A real Prometheus that scrapes an API each second, with the rules of the repository."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leadgen.dev.ports import free_port
from tests.integration.service import until

MONITORING = Path(__file__).parents[3] / "docs/leadgen/monitoring"
RULES = MONITORING / "leadgen.rules.yaml"
RULES_TEST = MONITORING / "leadgen.rules-test.yaml"
DASHBOARD = MONITORING / "dashboard.json"
START_SECONDS = 30


@dataclass(frozen=True)
class Prometheus:
    """One that runs; `query` and `rules` are what it answers."""

    port: int

    def ask(self, path: str, **words: str) -> Any:  # noqa: ANN401 - any JSON value
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[float]:
        """The values of the series that an expression has now."""
        return [float(each["value"][1]) for each in self.ask("query", query=expression)["result"]]

    def rules(self) -> dict[str, tuple[str, str]]:
        """By its name: how each rule is evaluated, and its state."""
        (group,) = self.ask("rules")["groups"]
        return {rule["name"]: (rule["health"], rule["state"]) for rule in group["rules"]}

    def is_ready(self) -> bool:
        try:
            return bool(self.ask("targets")["activeTargets"])
        except OSError:
            return False


@contextmanager
def scraping(program: str, folder: Path, job: dict[str, Any]) -> Iterator[Prometheus]:
    """The job is scraped each second, and the rules are evaluated as often."""
    config = folder / "prometheus.yaml"
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config.write_text(yaml.safe_dump({"global": every, "rule_files": [str(RULES)], "scrape_configs": [job]}))
    port = free_port()
    words = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            running = Prometheus(port)
            assert until(running.is_ready, START_SECONDS), (folder / "prometheus.log").read_text()
            yield running
        finally:
            process.kill()
