"""The application in this process with its keys and clients, or served, on its own database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from leadgen.api.app import create_app
from leadgen.api.services import services_of
from leadgen.domain import api_key
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, Keys, make_config
from tests.integration.stack import Stack, make_stack


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    clients = ("wordpress", "partner", "site")
    made = {client: api_key.mint(client, frozenset({"intake"}), None) for client in clients}
    (tmp_path / "keys").write_text("\n".join(line for _, line in made.values()) + "\n")
    return Keys(tmp_path / "keys", {client: text for client, (text, _) in made.items()})


@pytest.fixture
def app(database: Database, keys: Keys) -> Iterator[Flask]:
    made = create_app(make_config(database, keys), CountingDoorbell())
    yield made
    services_of(made).close()


@pytest.fixture
def caller(app: Flask, keys: Keys) -> Caller:
    return Caller(app, keys.of["wordpress"])


@pytest.fixture
def partner(app: Flask, keys: Keys) -> Caller:
    return Caller(app, keys.of["partner"])


@pytest.fixture
def site(app: Flask, keys: Keys) -> Caller:
    """The site's own edge, whose key allows the flat profile."""
    return Caller(app, keys.of["site"])


@pytest.fixture
def stack(tmp_path: Path, database: Database, redis_url: str) -> Stack:
    return make_stack(tmp_path, database, redis_url)
