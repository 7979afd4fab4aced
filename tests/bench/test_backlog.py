"""The basis of the queue's rows: tables filled by SQL, and a peer's insert that does the same as ours."""

import os

from psycopg.rows import dict_row

from leadgen.store.connection import connect
from tests.bench import backlog
from tests.bench.peers.one_lead import insert
from tests.bench.rows.memory import mib
from tests.conftest import Database

LEADS = "SELECT * FROM app.leads ORDER BY intake_id"
CONSENTS = "SELECT * FROM app.consents ORDER BY intake_id, position"


def rows(database: Database, query: str) -> list[dict[str, object]]:
    with connect(database.owner_url, "tests") as connection:
        found = connection.cursor(row_factory=dict_row).execute(query.encode()).fetchall()
    return [
        {name: value for name, value in row.items() if name not in {"created_at", "recorded_at", "lead_id"}}
        for row in found
    ]


def test_a_backlog_has_as_many_intakes_as_asked_for_and_no_two_alike(database: Database) -> None:
    backlog.accept(database, 25)
    assert len(rows(database, "SELECT FROM app.intake_queue")) == 25
    found = rows(
        database,
        "SELECT payload #>> '{contact,full_name}' AS sent, lead ->> 'full_name' AS made FROM app.intake_jobs",
    )
    assert [row["sent"] for row in found] == [row["made"] for row in found]
    assert len({row["sent"] for row in found}) == 25


def test_all_of_a_backlog_becomes_leads_and_can_be_cleared_away(database: Database) -> None:
    backlog.accept(database, 25)
    backlog.make_leads(database)
    backlog.tidy(database)
    backlog.wait_until_drained(database, patience=0)
    assert backlog.rate(database, 25, patience=0) == 0
    backlog.clear(database)
    assert rows(database, LEADS) == rows(database, "SELECT FROM app.intake_jobs") == []


def test_a_peers_insert_makes_the_very_rows_that_ours_makes(database: Database) -> None:
    backlog.accept(database, 2)
    with connect(database.superuser_url, "tests") as connection:
        for (intake_id,) in connection.execute("SELECT intake_id FROM app.intake_queue").fetchall():
            connection.execute(insert("%s").encode(), [intake_id])
    theirs = rows(database, LEADS), rows(database, CONSENTS)
    with connect(database.superuser_url, "tests") as connection:
        connection.execute("TRUNCATE app.leads, app.consents")
    backlog.make_leads(database)
    assert theirs == (rows(database, LEADS), rows(database, CONSENTS))
    assert [len(part) for part in theirs] == [2, 2]


def test_memory_is_read_in_mebibytes_and_shared_pages_count_for_less() -> None:
    assert 5 < mib("Pss", [os.getpid()]) <= mib("Rss", [os.getpid()]) < 2_000
