"""Settings: every fault in one error, and paths of a host's own."""

from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from deploys.kit.errors import Refused
from deploys.kit.plan.settings import from_values, names
from deploys.services.alerts import Alerts

GROUP_DATA = Path(__file__).parents[4] / "group_data"
ENVIRONMENTS = sorted(file.stem for file in GROUP_DATA.glob("*.py") if file.stem != "all")


def values_of(environment: str) -> dict[str, Any]:
    files = (GROUP_DATA / "all.py", GROUP_DATA / f"{environment}.py")
    return {name: value for file in files for name, value in run_path(str(file)).items() if name in names()}


VALID = {**values_of("lab"), "age_identity": None}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_has_every_setting_of_the_kit(environment: str) -> None:
    assert from_values("motorcade-01", values_of(environment)).environment == environment


def test_the_name_of_the_host_stands_in_its_paths() -> None:
    settings = from_values("motorcade-lab-02", VALID)
    assert settings.release_file == Path(".lab/motorcade-lab-02/release.yaml")
    assert settings.age_identity is None


def test_every_missing_or_mistyped_setting_is_named_in_one_error() -> None:
    values = {**VALID, "postgres_max_connections": "100", "environment": ""}
    del values["core_subnet"]
    with pytest.raises(Refused) as refusal:
        from_values("motorcade-lab-01", values)
    assert str(refusal.value) == (
        "group_data: environment is '', core_subnet is None, postgres_max_connections is '100'; "
        "set them there as group_data/all.py shows"
    )


def test_a_setting_that_may_be_left_out_is_none_or_text() -> None:
    for value in (None, "https://ntfy.test/topic"):
        settings = from_values("motorcade-lab-01", {**VALID, "alerts_ntfy_url": value})
        assert settings.of(Alerts).alerts_ntfy_url == value
    for wrong in ("", 3):
        with pytest.raises(Refused, match=f"alerts_ntfy_url is {wrong!r}"):
            from_values("motorcade-lab-01", {**VALID, "alerts_ntfy_url": wrong})


def test_a_figure_given_as_a_truth_value_is_refused() -> None:
    with pytest.raises(Refused, match="postgres_cpu_percent is True"):
        from_values("motorcade-lab-01", {**VALID, "postgres_cpu_percent": True})
