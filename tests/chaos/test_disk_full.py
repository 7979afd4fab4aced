"""A full disk: refusals that readiness and health explain, no death, and leads again as soon as there is space."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from tests.chaos import rows
from tests.chaos.campaign import new_folder
from tests.chaos.client import Client
from tests.chaos.disk import Disk, obstacle
from tests.chaos.leads import make_lead
from tests.chaos.stack import Stack
from tests.integration.service import until

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=obstacle() or "")


@pytest.fixture
def stack() -> Iterator[Stack]:
    folder = new_folder()
    with Disk(folder / "disk") as disk, Stack(folder / "system", disk=disk) as stack:
        yield stack


@pytest.mark.alone("readiness is red two seconds after the first refusal, a lead is accepted five after the end")
def test_a_full_disk_is_seen_survived_and_over_when_space_is_free(stack: Stack) -> None:
    client = Client(stack.api_port, stack.place.api_key())
    accepted: set[str] = set()
    numbers = count()

    def post() -> int | None:
        key = f"full-{next(numbers)}"
        answer = client.post(key, json.dumps(make_lead(key, 0)).encode())
        if answer.status == 202:
            accepted.add(key)
        return answer.status

    def health() -> dict[str, Any]:
        return dict(json.loads(client.get("/lead/health").text))

    def is_ready() -> bool:
        return client.get("/lead/ready").status == 200

    with closing(client), ThreadPoolExecutor(8) as pool:
        assert until(is_ready)
        before = [process.pid for process in stack.processes("api")]
        assert stack.disk
        with stack.disk.full():
            began = time.monotonic()
            while set(pool.map(lambda _: post(), range(64))) == {202}:
                assert time.monotonic() - began < 60
            assert until(lambda: not is_ready(), 2)
            assert until(lambda: health()["fault"] == "disk full", 2)
        assert until(lambda: post() == 202, 5)
        assert [process.pid for process in stack.processes("api")] == before
        with closing(stack.superuser()) as connection:
            rows.drained(connection, 60)
            stored = {key for (key,) in connection.execute("SELECT idempotency_key FROM app.leads")}
    assert accepted <= stored
