"""Who imports whom in deploys/: commands and pages import services, services the kit; the kit knows neither."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploys.kit.plan import services
from tests.conventions.structure import circles, modules

PAGE = re.compile(r"(plat|leadgen|wp|id|mail|mob)_\d\w*|maintenance|platform|restore")
KIT = ("kit", "kit.plan", "kit.run", "kit.operations", "kit.quadlet", "kit.secrets")
# Room -> the rooms that it may import.
ROOMS: Mapping[str, tuple[str, ...]] = {
    "kit": (),
    "kit.plan": KIT[:1],
    "kit.run": KIT[:2],
    "kit.operations": KIT[:3],
    "kit.quadlet": KIT[:4],
    "kit.secrets": KIT[:4],
    "declarations": KIT[:2],
    **{
        f"services.{service.name}": (*KIT, *(f"services.{name}" for name in services.below(service)))
        for service in services.every()
    },
    "inspect": (*KIT, "services"),
    "history": (*KIT, "services"),
    "pages": (*KIT, "services"),
    "commands": (*KIT, "services", "inspect", "history"),
}


def room_of(module: str) -> str:
    """`kit.run` of deploys.kit.run.page, `kit` of deploys.kit.errors, `pages` of deploys.plat_01.

    A service's own module, which declares it, is apart from what it does.
    """
    first, *more = module.split(".")[1:]
    if first not in {"kit", "services", "inspect", "history"}:
        return "pages" if PAGE.fullmatch(first) else "commands"
    if first == "services" and len(more) == 1:
        return "declarations"
    inner = f"{first}.{more[0]}" if more else first
    return inner if inner in ROOMS or first == "services" else first


def faults(graph: Mapping[str, set[str]]) -> list[str]:
    """Imports that the table does not allow. A room is open to itself."""
    return [
        f"{module}: {room_of(module)} may not import {other}"
        for module, others in sorted(graph.items())
        for other in sorted(others)
        if not may_import(room_of(module), room_of(other))
    ]


def may_import(room: str, other: str) -> bool:
    allowed = {room, *ROOMS.get(room, ())}
    if other == "declarations":
        return room == other or room.startswith("services.") or "services" in allowed
    return other in allowed or (other.startswith("services.") and "services" in allowed)


@pytest.fixture(scope="module")
def graph(project: Path) -> dict[str, set[str]]:
    found = modules(project, "deploys")
    assert len(found) > 90, "the command must still find the code"
    return {name: others - {"deploys"} for name, others in found.items() if name != "deploys"}


def test_every_room_imports_only_what_its_line_in_the_table_allows(graph: dict[str, set[str]]) -> None:
    assert faults(graph) == []


def test_no_modules_import_one_another_in_a_circle(graph: dict[str, set[str]]) -> None:
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("module", "other"),
    [
        ("deploys.kit.errors", "deploys.kit.plan.pins"),
        ("deploys.kit.plan.pins", "deploys.kit.run.page"),
        ("deploys.kit.operations.gate", "deploys.services.redis.state"),
        ("deploys.kit.run.page", "deploys.plat_01"),
        ("deploys.services.postgres.database", "deploys.services.leadgen.release"),
        ("deploys.services.postgres.database", "deploys.inspect.disk"),
        ("deploys.history.sbom", "deploys.inspect.disk"),
        ("deploys.services.redis", "deploys.kit.run.page"),
        ("deploys.kit.run.page", "deploys.services.redis"),
        ("deploys.plat_01", "deploys.inspect.disk"),
        ("deploys.plat_01", "deploys.status"),
    ],
)
def test_an_import_against_the_table_is_found(module: str, other: str) -> None:
    assert len(faults({module: {other}})) == 1


@pytest.mark.parametrize(
    ("module", "other"),
    [
        ("deploys.status", "deploys.inspect.disk"),
        ("deploys.plat_01", "deploys.services.podman.podman"),
        ("deploys.services.leadgen.release", "deploys.services.postgres.database"),
        ("deploys.kit.run.page", "deploys.kit.run.steps"),
    ],
)
def test_an_import_by_the_table_is_left_alone(module: str, other: str) -> None:
    assert faults({module: {other}}) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
