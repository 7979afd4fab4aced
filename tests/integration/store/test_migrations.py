"""The migrations: the schema that is written down, once only, all or nothing, and with no right too many."""

import re
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from leadgen.dev.account import for_postgres
from leadgen.dev.wheels import postgres_programs
from leadgen.errors import MigrationError
from leadgen.store import migrations
from leadgen.store.connection import connect
from leadgen.store.migrations import Migration, migrate, pending, shipped
from tests.conftest import Database

FILES = Path(migrations.__file__).parent.glob("*.sql")
VERSIONS = [file.read_text().splitlines()[0].removeprefix("-- version: ") for file in sorted(FILES)]


def dump_schema(database: Database) -> list[str]:
    """The schema from pg_dump, sorted, without the parts that differ between runs."""
    program = postgres_programs(for_postgres()) / "pg_dump"
    text = subprocess.run(
        [program, "--schema-only", "--schema=app", database.superuser_url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    statements = re.sub(r"^(--|\\|SET |SELECT pg_catalog).*$", "", text, flags=re.MULTILINE).split(";\n")
    return sorted(statement.strip() for statement in statements if statement.strip())


def run_all(database: Database) -> list[str]:
    return migrate(database.owner_url, report=lambda _: None)


def test_the_migrations_make_what_schema_sql_says(bare_database: Database, database: Database) -> None:
    with psycopg.connect(bare_database.owner_url) as owner:
        owner.execute((files("leadgen.store") / "schema.sql").read_text())
    assert dump_schema(bare_database) == dump_schema(database)


def test_every_pending_migration_is_applied_in_order_and_only_once(bare_database: Database) -> None:
    assert run_all(bare_database) == VERSIONS
    assert run_all(bare_database) == []


def test_migrating_to_a_version_stops_there(bare_database: Database) -> None:
    assert migrate(bare_database.owner_url, to=VERSIONS[0], report=lambda _: None) == VERSIONS[:1]
    assert run_all(bare_database) == VERSIONS[1:]


def test_an_unknown_version_is_refused_with_the_known_ones(bare_database: Database) -> None:
    with pytest.raises(MigrationError, match=f"{', '.join(VERSIONS)}$"):
        migrate(bare_database.owner_url, to="20990101_none", report=lambda _: None)


def test_a_dry_run_reports_and_changes_nothing(bare_database: Database) -> None:
    reported: list[str] = []
    migrate(bare_database.owner_url, dry_run=True, report=reported.append)
    assert [line.split()[-1] for line in reported] == VERSIONS
    with psycopg.connect(bare_database.owner_url) as owner:
        assert owner.execute("SELECT to_regnamespace('app')").fetchone() == (None,)


def test_a_failing_migration_leaves_no_trace(bare_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Migration(99, "pre", "20990101_bad", "CREATE TABLE app.half (n int); SELECT 1 / 0")
    monkeypatch.setattr(migrations, "shipped", lambda: [*shipped(), bad])
    with pytest.raises(MigrationError, match="20990101_bad: failed and was rolled back: division by zero"):
        run_all(bare_database)
    with psycopg.connect(bare_database.owner_url) as owner:
        assert owner.execute("SELECT to_regclass('app.half')").fetchone() == (None,)
        assert owner.execute("SELECT count(*) FROM app.schema_migrations").fetchone() == (len(VERSIONS),)


def test_a_migration_without_a_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0001_pre_leads.sql").write_text("CREATE TABLE leads (n int)")
    monkeypatch.setattr(migrations, "files", lambda _: tmp_path)
    with pytest.raises(MigrationError, match=r"0001_pre_leads\.sql: has no version"):
        shipped()


def test_an_applied_migration_with_another_text_is_refused(database: Database) -> None:
    edited = [Migration(1, "pre", VERSIONS[0], "-- edited"), *shipped()[1:]]
    with (
        connect(database.owner_url, "tests") as connection,
        pytest.raises(MigrationError, match="a different text"),
    ):
        pending(connection, edited)


def test_a_version_of_a_later_release_is_left_alone(database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("INSERT INTO app.schema_migrations VALUES ('20990101_later', 'x')")
    assert run_all(database) == []


def test_missing_roles_are_named(own_postgres: Callable[..., Database]) -> None:
    database = own_postgres()
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute("ALTER ROLE motorcade_ro RENAME TO somebody")
    with pytest.raises(MigrationError, match="lacks motorcade_ro"):
        run_all(database)


def test_a_second_run_is_refused_while_one_is_running(bare_database: Database) -> None:
    with psycopg.connect(bare_database.owner_url) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [migrations.LOCK_KEY])
        with pytest.raises(MigrationError, match="another migration is running"):
            run_all(bare_database)


def test_a_migration_that_cannot_get_its_lock_gives_up_soon(bare_database: Database) -> None:
    migrate(bare_database.owner_url, to=VERSIONS[0], report=lambda _: None)
    with psycopg.connect(bare_database.owner_url) as reader:
        reader.execute("SELECT FROM app.leads")
        with pytest.raises(MigrationError, match="SQLSTATE 55P03"):
            run_all(bare_database)
    assert run_all(bare_database) == VERSIONS[1:]


MAY = {
    "motorcade_app": {
        "leads": "SELECT INSERT",
        "consents": "SELECT",  # and INSERT on all columns but those of the database, see below
        "intake_jobs": "SELECT INSERT",
        "job_audit": "SELECT",
        "intake_queue": "SELECT INSERT UPDATE DELETE",
        "dead_jobs": "SELECT INSERT UPDATE DELETE",
        "heartbeats": "SELECT INSERT UPDATE",
        "erasures": "SELECT INSERT",
        "schema_migrations": "SELECT",
    },
}
MAY["motorcade_ro"] = dict.fromkeys(MAY["motorcade_app"], "SELECT")  # all of it
MAY["motorcade_api"] = {
    "intake_jobs": "INSERT",  # and SELECT on some columns, as on leads, intake_queue and dead_jobs
    "intake_queue": "INSERT",
    "heartbeats": "SELECT",
    "schema_migrations": "SELECT",
}


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_what_it_must_and_no_more(database: Database, role: str) -> None:
    with psycopg.connect(database.superuser_url) as superuser:
        found = superuser.execute(
            "SELECT relname, string_agg(right_name, ' ' ORDER BY number) "
            "FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) "
            "WITH ORDINALITY AS rights (right_name, number) "
            "WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' "
            "AND has_table_privilege(%s, pg_class.oid, right_name) GROUP BY relname",
            [role],
        ).fetchall()
        assert dict(found) == MAY[role]
        assert superuser.execute("SELECT has_schema_privilege(%s, 'app', 'CREATE')", [role]).fetchone() == (False,)


REFUSED = {
    "motorcade_app": [
        "UPDATE app.consents SET granted = true",
        "DELETE FROM app.consents",
        "INSERT INTO app.consents (intake_id, recorded_at) VALUES (gen_random_uuid(), '2001-01-01')",
        "INSERT INTO app.consents (intake_id, person_digests) VALUES (gen_random_uuid(), '{}')",
        "INSERT INTO app.job_audit (actor, at) VALUES ('me', '2001-01-01')",
        "INSERT INTO app.job_audit (audit_id) OVERRIDING SYSTEM VALUE VALUES (1)",
        "CREATE TABLE app.mine (n int)",
    ],
    "motorcade_api": [
        "SELECT payload FROM app.intake_jobs",
        "SELECT lead FROM app.intake_jobs",
        "SELECT email FROM app.intake_jobs",
        "SELECT phone_e164 FROM app.intake_jobs",
        "SELECT * FROM app.intake_jobs",
        "SELECT FROM app.intake_jobs WHERE email = 'ada@example.com'",
        "INSERT INTO app.intake_jobs SELECT (found).* FROM app.intake_jobs AS found",
        "SELECT full_name FROM app.leads",
        "SELECT last_error FROM app.intake_queue",
        "SELECT reason FROM app.dead_jobs",
        "SELECT FROM app.consents",
        "SELECT FROM app.job_audit",
        "SELECT FROM app.erasures",
        "UPDATE app.intake_jobs SET payload = '{}'",
        "DELETE FROM app.intake_queue",
        "INSERT INTO app.leads (state) VALUES ('TX')",
        "INSERT INTO app.heartbeats (service, release, beat_at) VALUES ('sweeper', 'x', '2001-01-01')",
        "SELECT app.erase_person(NULL, '[]', 'me', 'why')",
        "SELECT app.remove_expired(0, '[]', 'me')",
        "SELECT app.remove_synthetic('motorcade-probe', 'key')",
        "CREATE TABLE app.mine (n int)",
    ],
}


@pytest.mark.parametrize(
    ("role", "statement"), [(role, each) for role, every in REFUSED.items() for each in every]
)
def test_what_a_role_does_not_need_is_refused(database: Database, role: str, statement: str) -> None:
    url = {"motorcade_api": database.api_url, "motorcade_app": database.app_url}[role]
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
