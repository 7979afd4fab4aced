"""Service pages: one for each service and all of one shape, so that an operator need not search."""

import ast
import re
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from deploys.kit.plan import services

# Page in docs/services -> the command that is its process.
PROCESSES = {page: command for service in services.every() for page, command in service.processes.items()}
HEADINGS = ["What it is", "Settings", "Start and stop", "Health", "Logs", "When it fails"]


def faults(service: str, page: str) -> list[str]:
    wrong = []
    if page.splitlines()[0] != f"# {service}":
        wrong.append(f"{service}: the title has to be the name of the service")
    if (found := re.findall(r"^## (.+)$", page, re.MULTILINE)) != HEADINGS:
        wrong.append(f"{service}: its headings are {found}, not {HEADINGS}")
    if any(not part.strip() for part in re.split(r"^## .+$", page, flags=re.MULTILINE)[1:]):
        wrong.append(f"{service}: a heading has nothing below it")
    if f"`{PROCESSES.get(service)}`" not in page:
        wrong.append(f"{service}: it does not name its command")
    return wrong


def events(sources: dict[str, str]) -> set[str]:
    """The names of all log events: the text that each call of event() holds in the second place."""
    calls = (
        node
        for source in sources.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "event"
    )
    return {ast.literal_eval(call.args[1]) for call in calls}


def told_events(pages: dict[str, str]) -> set[str]:
    """Those that the pages explain below Logs, written as "`drained`: what it means"."""
    logs = (page.partition("## Logs")[2].partition("\n## ")[0] for page in pages.values())
    return {name for log in logs for name in re.findall(r"`([a-z_]+)`[,:]", log)}


def metrics(text: str) -> set[str]:
    """Names of metrics, without what Prometheus adds to a counter's."""
    return {name.removesuffix("_total") for name in re.findall(r"[\"`](leadgen_[a-z_]+)[\"`{]", text)}


@pytest.fixture(scope="module")
def pages(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return {PurePath(path).stem: text for path, text in texts("docs/services/*.md").items()}


def test_every_service_has_its_page_and_every_page_its_service(pages: dict[str, str]) -> None:
    assert set(pages) == set(PROCESSES)


def test_every_service_page_has_the_one_shape(pages: dict[str, str]) -> None:
    assert [fault for service, page in pages.items() for fault in faults(service, page)] == []


def test_every_log_event_is_explained_and_every_explained_one_exists(
    pages: dict[str, str], texts: Callable[[str], dict[str, str]]
) -> None:
    assert told_events(pages) == events(texts("leadgen/*.py"))


def test_every_metric_is_named_and_every_named_one_exists(pages: dict[str, str], project: Path) -> None:
    source = (project / "leadgen/api/metrics.py").read_text(encoding="utf-8")
    assert metrics("".join(pages.values())) == metrics(source)


GOOD = "# leadgen-api\n`leadgen serve`\n" + "".join(f"## {heading}\nText.\n" for heading in HEADINGS)


def test_a_page_of_the_one_shape_is_left_alone() -> None:
    assert faults("leadgen-api", GOOD) == []


@pytest.mark.parametrize(
    "page",
    [
        GOOD.replace("# leadgen-api", "# The API"),
        GOOD.replace("## Health\n", ""),
        GOOD.replace("## Logs\nText.\n", "") + "## Logs\nText.\n",
        GOOD.replace("## Health\nText.\n", "## Health\n\n"),
        GOOD.replace("`leadgen serve`", "gunicorn"),
    ],
)
def test_a_page_of_another_shape_is_found(page: str) -> None:
    assert len(faults("leadgen-api", page)) == 1


def test_events_are_found_in_code_and_in_pages() -> None:
    assert events({"a.py": "event(_log, 'drained', level=10, leads=1)\nother(_log, 'lost')"}) == {"drained"}
    page = "## Logs\n- `drained`: done. `put_off`: later, see `jobs`.\n## When it fails\n- `lost`: no\n"
    assert told_events({"leadgen-worker": page}) == {"drained", "put_off"}


def test_metrics_are_found_in_code_and_in_pages() -> None:
    assert metrics('Counter("leadgen_requests", "Requests.")') == {"leadgen_requests"}
    assert metrics("| `leadgen_requests_total` | growing |") == {"leadgen_requests"}
