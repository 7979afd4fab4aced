"""`leadgen check --write`: a real write is tried, and nothing of it remains."""

from functools import partial
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from leadgen.api import reading
from leadgen.cli import leadgen
from leadgen.domain import api_key, synthetic
from tests.conftest import Database
from tests.integration.service import until

TABLES = ("intake_jobs", "intake_queue", "dead_jobs", "leads", "consents", "heartbeats")


def counts(database: Database) -> list[int]:
    with psycopg.connect(database.superuser_url) as connection:
        rows = [connection.execute(f"SELECT count(*) FROM app.{table}").fetchall() for table in TABLES]
    return [number for ((number,),) in rows]


def written(database: Database) -> int:
    """How many rows were ever put into the outbox and its queue, also by transactions that were rolled back."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        ((number,),) = connection.execute(
            "SELECT sum(n_tup_ins)::int FROM pg_stat_user_tables WHERE relname IN ('intake_jobs', 'intake_queue')"
        ).fetchall()
    return int(number)


@pytest.fixture
def environ(database: Database, redis_url: str, tmp_path: Path) -> dict[str, str]:
    _, line = api_key.mint("wordpress", frozenset({"intake"}), None)
    (tmp_path / "keys").write_text(line + "\n")
    return {
        "LEADGEN_DATABASE_URL": database.api_url,
        "LEADGEN_REDIS_URL": redis_url,
        "LEADGEN_API_KEYS_FILE": str(tmp_path / "keys"),
    }


def check(environ: dict[str, str], *options: str) -> Result:
    return CliRunner(env=environ).invoke(leadgen, ["check", *options])


def test_a_real_write_is_tried_and_nothing_of_it_remains(database: Database, environ: dict[str, str]) -> None:
    assert check(environ).output == "configuration: all good\n"
    assert (counts(database), written(database)) == ([0] * len(TABLES), 0)
    for number in (2, 4):
        result = check(environ, "--write")
        assert (result.exit_code, result.output) == (0, "configuration: all good; an intake can be stored\n")
        assert until(
            partial(lambda most: written(database) == most, number)
        )  # reported when its session has ended
        assert counts(database) == [0] * len(TABLES)


def test_redis_may_be_left_out(environ: dict[str, str]) -> None:
    away = {**environ, "LEADGEN_REDIS_URL": "redis://127.0.0.1:1/0"}
    assert check(away).exit_code == 1
    assert check(away, "--write", "--no-redis").exit_code == 0


@pytest.mark.parametrize("table", ["intake_jobs", "intake_queue"])
def test_a_write_that_is_refused_is_a_fault_that_only_the_write_finds(
    database: Database, environ: dict[str, str], table: str
) -> None:
    with psycopg.connect(database.superuser_url) as superuser:
        superuser.execute(f"REVOKE INSERT ON app.{table} FROM motorcade_api")
    assert check(environ).exit_code == 0
    result = check(environ, "--write")
    assert result.exit_code == 1
    assert result.output.startswith("database: the schema lacks a table, column or privilege")
    assert result.output.count("\n") == 1
    assert table not in result.output


def test_what_is_written_is_a_submission_that_the_api_accepts() -> None:
    found = reading.read(dict(synthetic.DOCUMENT), frozenset({"TX"}), reading.Request(strict=True))
    assert found.email == synthetic.DOCUMENT["contact"]["email"]
    assert found.columns.items() >= synthetic.LEAD.items()
