"""A writer on the database of a test."""

from collections.abc import Iterator

import pytest

from leadgen.store.intake_writer import IntakeWriter
from tests.conftest import Database
from tests.integration.store.writing import make_writer


@pytest.fixture
def writer(database: Database) -> Iterator[IntakeWriter]:
    with make_writer(database.api_url) as made:
        yield made
