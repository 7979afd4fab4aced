"""Tables with as many rows as wanted, made by SQL in a minute and left as autovacuum leaves them."""

import re
import time

import psycopg

from leadgen.jobs.rq_bell import RqBell
from leadgen.store.connection import Connection, Limits, connect
from leadgen.store.queries import load
from tests.bench.errors import CannotMeasure
from tests.bench.pgbench import COLUMNS
from tests.conftest import Database

PIECE = 50_000
LIMITS = Limits(statement_ms=300_000)  # a piece takes longer than any statement of a service
POLL_SECONDS = 0.002
START_SECONDS = 30


def accept(database: Database, count: int) -> None:
    """Store and queue intakes, by the statement that the API uses."""
    with connect(database.superuser_url, "bench", LIMITS) as superuser:
        for done in range(0, count, PIECE):
            superuser.execute(_insert(min(PIECE, count - done)))


def make_leads(database: Database) -> None:
    """Empty the queue, by the statement that the worker uses."""
    with connect(database.superuser_url, "bench", LIMITS) as superuser:
        drain = load("intake_queue")["drain_batch"]
        while superuser.execute(drain, {"only": None, "most": PIECE}).fetchone() != (0,):
            pass


def tidy(database: Database) -> None:
    """What autovacuum does in its own time; and no checkpoint is left to fall into a measurement."""
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute("VACUUM (ANALYZE) app.intake_jobs, app.intake_queue, app.leads, app.consents")
        superuser.execute("CHECKPOINT")


def clear(database: Database) -> None:
    with connect(database.superuser_url, "bench", LIMITS) as superuser:
        superuser.execute("TRUNCATE app.intake_jobs, app.intake_queue, app.leads, app.consents, app.dead_jobs")


def rate(database: Database, count: int, patience: float) -> float:
    """Leads a second, from the first commit that brings some to the one that brings the last of `count`.

    For a database without leads, whichever process makes them. Raises CannotMeasure after `patience`.
    """
    until = time.monotonic() + patience
    with connect(database.superuser_url, "bench", LIMITS) as superuser:
        while not (first := _leads(superuser)):
            _wait(until)
        began = time.perf_counter()
        # Numbers are drawn before their rows are committed; to look at the number costs nothing, to count does.
        while _drawn(superuser) < count or _leads(superuser) < count:
            _wait(until)
        return (count - first) / (time.perf_counter() - began)


def wait_until_drained(database: Database, patience: float) -> None:
    until = time.monotonic() + patience
    with connect(database.superuser_url, "bench") as superuser:
        while _number(superuser, "SELECT count(*) FROM app.intake_queue"):
            _wait(until)


def wait_for_worker(redis_url: str) -> RqBell:
    """The bell that a worker listens to by now; ring it, or close it."""
    bell = RqBell(redis_url)
    until = time.monotonic() + START_SECONDS
    while not bell.has_worker():
        _wait(until)
    return bell


def _insert(count: int) -> str:
    """Every lead differs, as those of people do: PostgreSQL must not get by with what it knows of the last."""
    differing = {name: f"replace({COLUMNS[name]}, 'Maria', 'Maria ' || number)" for name in ("payload", "lead")}
    columns = iter((COLUMNS | differing).values())
    text = load("intake_jobs")["insert_intakes"]
    return re.sub(
        "%b", lambda _: f"ARRAY(SELECT {next(columns)} FROM generate_series(1, {count}) AS number)", text
    )


def _leads(connection: Connection) -> int:
    return _number(connection, "SELECT count(*) FROM app.leads")


def _drawn(connection: Connection) -> int:
    return _number(connection, "SELECT coalesce(pg_sequence_last_value('app.leads_lead_id_seq'), 0)")


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _wait(until: float) -> None:
    if time.monotonic() > until:
        raise CannotMeasure("drain", "it takes too long, or no worker drains", "read the log of the worker")
    time.sleep(POLL_SECONDS)
