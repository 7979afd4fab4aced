"""Secrets for tests of the vault: these are declared, and no service's."""

import pytest

from deploys.kit.plan import services
from deploys.kit.plan.service import Secret

DECLARED = (
    Secret("redis", 24, ("PLAT_08C", "PLAT_04A", "PLAT_08B")),
    Secret("api-key", 16, ("PLAT_04", "LEADGEN_06")),
)


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "secrets", lambda: {secret.name: secret for secret in DECLARED})
