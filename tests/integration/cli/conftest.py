"""What the tests of this folder share."""

from functools import partial
from pathlib import Path

import pytest

from tests.integration.cli.personal_data import Run, invoke
from tests.integration.outbox import Outbox


@pytest.fixture
def run(outbox: Outbox, tmp_path: Path) -> Run:
    """Run `leadgen …` on the outbox's database."""
    return partial(invoke, outbox.url, tmp_path)
