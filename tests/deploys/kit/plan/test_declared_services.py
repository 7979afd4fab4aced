"""Services are found by their folders, in an order in which each may import those before it."""

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from deploys.kit.errors import Refused
from deploys.kit.plan import services, settings
from deploys.kit.plan.service import AnyService, Secret, Service


@dataclass(frozen=True)
class Own:
    cellar_size_mb: int


CELLAR: AnyService = Service(
    "cellar",
    ("app",),
    settings=Own,
    secrets=(Secret("cellar-key", 24, ("PLAT_99",)),),
    data=("cellar_day",),
    processes={"cellar": "cellar-start"},
)
ATTIC: AnyService = Service("attic", ("app",), ("cellar",))


def refusal(*found: AnyService) -> str:
    with pytest.raises(Refused) as refused:
        services.ordered(found)
    return str(refused.value)


def test_a_service_comes_after_those_it_may_import() -> None:
    assert [service.name for service in services.ordered([ATTIC, CELLAR])] == ["cellar", "attic"]
    names = [service.name for service in services.every()]
    assert all(
        names.index(one) < names.index(service.name) for service in services.every() for one in service.after
    )


def test_what_a_service_may_import_reaches_through_others() -> None:
    backup = next(service for service in services.every() if service.name == "backup")
    assert services.below(backup) == {"postgres", "platform", "podman"}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"after": ("roof",)}, "attic is after roof, which does not exist"),
        ({"groups": ("cloud",)}, "attic has a group cloud"),
        ({"name": "cellar", "after": ()}, "service cellar is declared twice"),
        ({"settings": Own}, "setting cellar_size_mb is declared twice"),
        ({"secrets": CELLAR.secrets}, "secret cellar-key is declared twice"),
        ({"data": ("cellar_day",)}, "--data word cellar_day is declared twice"),
        ({"processes": {"cellar": "x"}}, "docs page cellar is declared twice"),
    ],
)
def test_a_declaration_that_cannot_be_right_is_refused(changed: dict[str, Any], fault: str) -> None:
    assert refusal(CELLAR, replace(ATTIC, **changed)) == (
        f"deploys.services: {fault}; correct the declaration in the __init__.py of its folder"
    )


def test_all_faults_are_in_one_error_and_a_circle_is_one() -> None:
    assert "roof, which does not exist, attic has a group cloud" in refusal(
        replace(ATTIC, after=("roof",), groups=("cloud",))
    )
    assert "services import in a circle (" in refusal(replace(CELLAR, after=("attic",)), ATTIC)


def test_a_services_own_settings_are_read_by_its_record() -> None:
    found = settings.Settings(**{field.name: None for field in settings.COMMON}, services=(Own(8),))  # type: ignore[arg-type]  # what is read of it
    assert found.of(Own).cellar_size_mb == 8


def test_every_setting_of_a_service_begins_with_one_word() -> None:
    for service in services.every():
        names = [field.name for field in fields(service.settings)] if service.settings else []
        assert len({name.partition("_")[0] for name in names}) <= 1, service.name
