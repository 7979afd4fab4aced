"""An outbox on the database of a test."""

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.integration.outbox import Outbox


@pytest.fixture
def outbox(database: Database) -> Iterator[Outbox]:
    with Outbox(database) as outbox:
        yield outbox
