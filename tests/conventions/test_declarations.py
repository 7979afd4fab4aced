"""Every service that is declared has its folders, tests and pages under its one word, and none is without one."""

from dataclasses import fields
from pathlib import Path

import pytest

from deploys.kit.plan import runbook, services, settings
from deploys.kit.plan.service import AnyService, Secret, Service

# Services without a folder in tests/deploys/services -> what tests them instead.
TESTED_ELSEWHERE = {
    "platform": "it has templates only: tests/lab/test_platform.py",
    "podman": "what it does is seen on a host only: tests/lab/test_static_podman.py",
}


def faults(service: AnyService, exists: set[str], pages: set[str]) -> list[str]:
    """`exists` are paths of the project, `pages` the ids of the runbook."""
    name = service.name
    wanted = [f"deploys/services/{name}/__init__.py"]
    wanted += [f"docs/services/{page}.md" for page in service.processes]
    wanted += [f"containers/{name}/Containerfile"] if service.recipe else []
    wrong = [f"{name}: there is no {path}" for path in wanted if path not in exists]
    tested = any(path.startswith(f"tests/deploys/services/{name}/") for path in exists)
    if tested == (name in TESTED_ELSEWHERE):
        wrong.append(f"{name}: give it tests in tests/deploys/services/{name}, or a reason in TESTED_ELSEWHERE")
    for secret in service.secrets:
        if not secret.name.startswith(f"{name}-"):
            wrong.append(f"{name}: the secret {secret.name} does not begin with its name")
        wrong += [f"{name}: {secret.name} names {page}, no page" for page in secret.consumers if page not in pages]
    return wrong


PAGES = {entry.id for entry in runbook.ORDER}


def test_every_service_has_all_that_its_declaration_promises(paths: list[str]) -> None:
    assert [fault for service in services.every() for fault in faults(service, set(paths), PAGES)] == []


def test_every_image_and_every_folder_of_tests_belongs_to_a_service(project: Path) -> None:
    built = {service.name for service in services.every() if service.recipe}
    assert {folder.name for folder in (project / "containers").iterdir() if folder.is_dir()} == built
    tested = {folder.name for folder in (project / "tests/deploys/services").iterdir() if folder.is_dir()}
    assert tested - {"__pycache__"} <= {service.name for service in services.every()}


def test_no_service_takes_the_name_of_a_setting_that_no_service_owns() -> None:
    common = {field.name for field in fields(settings.Settings)}
    own = {field.name for service in services.every() if service.settings for field in fields(service.settings)}
    assert common & own == set()


CELLAR: AnyService = Service(
    "cellar", ("app",), secrets=(Secret("cellar-key", 24, ("PLAT_01",)),), processes={"cellar": "x"}
)
EXISTS = {
    "deploys/services/cellar/__init__.py",
    "docs/services/cellar.md",
    "tests/deploys/services/cellar/test_a.py",
}


@pytest.mark.parametrize("gone", sorted(EXISTS))
def test_a_service_that_lacks_something_is_found(gone: str) -> None:
    assert faults(CELLAR, EXISTS, PAGES) == []
    assert len(faults(CELLAR, EXISTS - {gone}, PAGES)) == 1


def test_a_secret_of_another_name_or_page_is_found() -> None:
    other: AnyService = Service("cellar", ("app",), secrets=(Secret("key", 24, ("PLAT_00",)),))
    assert faults(other, EXISTS, PAGES) == [
        "cellar: the secret key does not begin with its name",
        "cellar: key names PLAT_00, no page",
    ]
