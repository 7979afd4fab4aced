"""How long after its 202 a submission is a lead, on a system that has nothing else to do."""

import http.client
import json
import random
import time
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from leadgen.dev.redis import BELL
from leadgen.store.connection import Connection, connect
from tests.bench import backlog
from tests.bench.context import Context
from tests.bench.errors import CannotMeasure
from tests.bench.figures import Figure, Goal, Spread
from tests.bench.percentiles import p99, percentile
from tests.bench.stack import Server
from tests.submissions import VALID

POSTS = 500
QUICK_POSTS = 60
PAUSE_SECONDS = (0.03, 0.13)
POLL_SECONDS = 0.0005
PATIENCE_SECONDS = 10


def measure(context: Context) -> list[Figure]:
    stack = context.stack
    with (
        stack.database() as database,
        stack.api(database) as api,
        stack.service("worker", database),
        stack.service("sweep", database),
        connect(database.app_url, "bench") as connection,
    ):
        backlog.wait_for_worker(stack.redis.url(BELL)).close()
        waits = [wait_ms(api, connection) for _ in range(QUICK_POSTS if context.quick else POSTS)]
    return [
        Figure(
            "arrival",
            "acknowledged → row in app.leads, idle system, p99",
            Spread([p99(waits)], "ms"),
            Goal(50, at_most=True),
            {"p50": Spread([percentile(waits, 0.5)], "ms"), "longest": Spread([max(waits)], "ms")},
        )
    ]


def wait_ms(api: Server, connection: Connection) -> float:
    """Post once and look until the lead is there."""
    intake_id = post(api)
    answered = time.perf_counter()
    while not _is_lead(connection, intake_id):
        if time.perf_counter() - answered > PATIENCE_SECONDS:
            raise CannotMeasure("arrival", "a lead does not arrive", "read the logs of worker and sweeper")
        time.sleep(POLL_SECONDS)
    waited = (time.perf_counter() - answered) * 1000
    time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - a pace, no secret
    return waited


def post(api: Server) -> UUID:
    client = http.client.HTTPConnection(urlsplit(api.address).netloc, timeout=PATIENCE_SECONDS)
    client.request(
        "POST",
        "/lead/intake",
        json.dumps(VALID),
        {
            "Authorization": f"Bearer {api.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        },
    )
    answer = client.getresponse()
    accepted = json.load(answer)
    client.close()
    if answer.status != http.client.ACCEPTED:
        raise CannotMeasure("arrival", f"a post was answered with {answer.status}", "read the server's log")
    return UUID(accepted["intake_id"])


def _is_lead(connection: Connection, intake_id: UUID) -> bool:
    found = connection.execute("SELECT FROM app.leads WHERE intake_id = %s", [intake_id], prepare=True)
    return found.fetchone() is not None
