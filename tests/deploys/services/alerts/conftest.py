"""A folder of its own for each test, and the shell that runs the programs."""

from pathlib import Path

import pytest

from tests.deploys.services.alerts import receivers
from tests.deploys.services.alerts.checked_host import Host


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for folder in ("state", "settings", "backups", "steps", "lock", "quadlets", "bin", "run"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return receivers.make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def host(world: Path, shell: str, certificate: Path) -> Host:
    return Host(world, shell, certificate)
