"""A change of the schema by hand is seen as a fact; what holds no data is brought back, the rest stays."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database

STORE = files("leadgen.store")
FACTS, REPAIR = (STORE.joinpath(f"schema_{name}.sql").read_text(encoding="utf-8") for name in ("facts", "repair"))
EXPECTED = STORE.joinpath("schema_facts.txt").read_text(encoding="utf-8").splitlines()
NOTHING = "CREATE FUNCTION app.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
MISLEADING = (
    'CREATE TRIGGER "no ON app.x; " BEFORE INSERT OR UPDATE OF granted ON app.consents FOR EACH ROW WHEN'
    " (new.channel = ' ON app.leads;ALTER ROLE motorcade_owner SUPERUSER;--')"
    " EXECUTE FUNCTION app.fill_lead_of_v1()"
)

# What was done -> the facts that it adds, and those that it takes away. All of it is brought back.
REPAIRED = {
    "GRANT DELETE ON app.leads TO motorcade_ro": (["GRANT DELETE ON table app.leads TO motorcade_ro"], []),
    "GRANT UPDATE (payload) ON app.intake_jobs TO motorcade_app": (
        ["GRANT UPDATE (payload) ON table app.intake_jobs TO motorcade_app"],
        [],
    ),
    "GRANT INSERT ON app.erasures TO motorcade_ro WITH GRANT OPTION": (
        ["GRANT INSERT ON table app.erasures TO motorcade_ro WITH GRANT OPTION"],
        [],
    ),
    "GRANT SELECT ON app.leads TO PUBLIC": (["GRANT SELECT ON table app.leads TO public"], []),
    "GRANT CREATE ON SCHEMA app TO motorcade_app": (["GRANT CREATE ON schema app TO motorcade_app"], []),
    "GRANT UPDATE ON SEQUENCE app.leads_lead_id_seq TO motorcade_app": (
        ["GRANT UPDATE ON sequence app.leads_lead_id_seq TO motorcade_app"],
        [],
    ),
    "GRANT EXECUTE ON FUNCTION app.keep_evidence TO PUBLIC": (
        ["GRANT EXECUTE ON routine app.keep_evidence(uuid,jsonb,bytea[]) TO public"],
        [],
    ),
    "REVOKE INSERT ON app.intake_jobs FROM motorcade_app": (
        [],
        ["GRANT INSERT ON table app.intake_jobs TO motorcade_app"],
    ),
    # Names and texts that lead a careless repair astray.
    MISLEADING: (["trigger " + MISLEADING.partition(" WHEN")[0] + " WHEN"], []),
    "ALTER TABLE app.leads FORCE ROW LEVEL SECURITY": (["forced row security on app.leads"], []),
    "REVOKE DELETE ON app.leads FROM motorcade_owner": (["owner lacks DELETE on table app.leads"], []),
    "ALTER TABLE app.leads DISABLE TRIGGER leads_of_the_release_before": (["disabled triggers on app.leads"], []),
    "ALTER TABLE app.dead_jobs DISABLE TRIGGER ALL": (["disabled triggers on app.dead_jobs"], []),
    "DROP TRIGGER leads_of_the_release_before ON app.leads": (
        [],
        [line for line in EXPECTED if line.startswith("trigger ")],
    ),
    "CREATE RULE lost AS ON INSERT TO app.consents DO INSTEAD NOTHING": (
        ["rule CREATE RULE lost AS     ON INSERT TO app.consents DO INSTEAD NOTHING;"],
        [],
    ),
    "ALTER TABLE app.consents ENABLE ROW LEVEL SECURITY": (["row security on app.consents"], []),
    "CREATE POLICY mine ON app.leads": (["policy mine on app.leads"], []),
}
# The same for what stays until somebody has looked at it.
LEFT = {
    "ALTER TABLE app.leads ADD COLUMN extra text": (["column app.leads.extra text"], []),
    "ALTER TABLE app.leads ALTER COLUMN flags SET DEFAULT '{x}'": (
        ["column app.leads.flags text[] not null default '{x}'::text[]"],
        ["column app.leads.flags text[] not null default '{}'::text[]"],
    ),
    "ALTER TABLE app.intake_jobs ALTER COLUMN fingerprint DROP NOT NULL": (
        ["column app.intake_jobs.fingerprint bytea"],
        ["column app.intake_jobs.fingerprint bytea not null"],
    ),
    "CREATE TABLE app.copied (n int)": (
        ["table app.copied owned by postgres", "column app.copied.n integer"],
        [],
    ),
    "DROP INDEX app.leads_created_at": (
        [],
        ["index CREATE INDEX leads_created_at ON app.leads USING btree (created_at)"],
    ),
    "ALTER TABLE app.leads DROP CONSTRAINT leads_intake_id_key": (
        [],
        [
            "constraint leads_intake_id_key on app.leads UNIQUE (intake_id)",
            "index CREATE UNIQUE INDEX leads_intake_id_key ON app.leads USING btree (intake_id)",
        ],
    ),
    "ALTER TABLE app.intake_queue SET UNLOGGED": (
        ["table app.intake_queue owned by motorcade_owner unlogged"],
        ["table app.intake_queue owned by motorcade_owner"],
    ),
    "ALTER TABLE app.leads OWNER TO motorcade_app": (
        ["table app.leads owned by motorcade_app"],
        ["table app.leads owned by motorcade_owner"],
    ),
    "ALTER DEFAULT PRIVILEGES FOR ROLE motorcade_owner IN SCHEMA app GRANT ALL ON TABLES TO motorcade_ro": (
        ["default rights of motorcade_owner in app {motorcade_ro=arwdDxtm/motorcade_owner}"],
        [],
    ),
    "CREATE TYPE app.mood AS ENUM ('a')": (["type app.mood"], []),
    NOTHING: (["routine app.nothing() owned by postgres"], []),
    "CREATE PROCEDURE app.nothing() LANGUAGE sql AS ''": (["routine app.nothing() owned by postgres"], []),
    "ALTER FUNCTION app.lead_of_wave4 STRICT": (
        ["routine app.lead_of_wave4(jsonb) owned by motorcade_owner"],
        [line for line in EXPECTED if line.startswith("routine app.lead_of_wave4")],
    ),
    "DROP FUNCTION app.remove_expired": ([], [line for line in EXPECTED if "app.remove_expired" in line]),
    "DROP TABLE app.heartbeats": ([], [line for line in EXPECTED if "app.heartbeats" in line]),
    "CREATE TABLE public.notes (n bigint REFERENCES app.leads)": (
        [
            "constraint notes_n_fkey on public.notes FOREIGN KEY (n) REFERENCES app.leads(lead_id)",
            "relation outside public.notes owned by postgres",
        ],
        [],
    ),
    "CREATE TABLE public.more () INHERITS (app.leads)": (["public.more inherits app.leads"], []),
    "ALTER SEQUENCE app.leads_lead_id_seq MAXVALUE 9": (
        ["sequence app.leads_lead_id_seq owned by motorcade_owner from 1 to 9 by 1"],
        [line for line in EXPECTED if line.startswith("sequence app.leads_lead_id_seq")],
    ),
    'ALTER TABLE app.intake_jobs ALTER COLUMN client_id TYPE text COLLATE "C"': (
        ['column app.intake_jobs.client_id text collate "C" not null'],
        ["column app.intake_jobs.client_id text not null"],
    ),
    "ALTER TABLE app.leads REPLICA IDENTITY NOTHING": (
        ["table app.leads owned by motorcade_owner replica identity n"],
        ["table app.leads owned by motorcade_owner"],
    ),
    "CREATE VIEW app.seen AS SELECT 1 AS n": (["view app.seen owned by postgres"], []),
    "CREATE PUBLICATION all_of_it FOR ALL TABLES": (["publication all_of_it"], []),
}


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        yield connection


def facts(connection: psycopg.Connection) -> list[str]:
    connection.execute("SET search_path = pg_catalog")
    return [line for line, _ in connection.execute(FACTS)]


def repair(connection: psycopg.Connection) -> None:
    """As the page does."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        connection.execute("CREATE TEMPORARY TABLE expected (line text) ON COMMIT DROP")
        connection.cursor().executemany("INSERT INTO expected VALUES (%s)", [(line,) for line in EXPECTED])
        connection.execute(f"CREATE TEMPORARY VIEW found AS {FACTS}")
        connection.execute(REPAIR)
        connection.execute("DROP VIEW found")


def same(line: str, known: str) -> bool:
    """A routine's fact ends with the digest of its definition, a view's with that of its text."""
    return line == known or line.startswith(f"{known} ")


def holding(lines: list[str]) -> list[str]:
    """All but rights: everyone may execute a new routine, until the repair."""
    return [line for line in lines if not line.startswith("GRANT ")]


def test_the_migrations_make_the_facts_that_are_written_down(
    superuser: psycopg.Connection, tmp_path: Path
) -> None:
    found = facts(superuser)
    (tmp_path / "schema_facts.txt").write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
    assert found == EXPECTED, f"after a migration: copy {tmp_path}/schema_facts.txt to leadgen/store/"
    assert sorted(found) == found, "pages compare them in this order"


@pytest.mark.parametrize("done", [*REPAIRED, *LEFT])
def test_a_change_by_hand_is_seen_and_what_holds_no_data_is_brought_back(
    superuser: psycopg.Connection, done: str
) -> None:
    (owner,) = superuser.execute("SELECT current_user").fetchone() or ()
    superuser.execute(done)
    found = facts(superuser)
    more, less = (REPAIRED | LEFT)[done]
    added = [line for line in found if line not in EXPECTED]
    wanted = [line.replace("owned by postgres", f"owned by {owner}") for line in more]
    assert all(any(same(line, known) for line in added) for known in wanted), added
    assert sorted(set(less) - set(found)) == sorted(less)
    repair(superuser)
    left = facts(superuser)
    assert (left == EXPECTED) == (done in REPAIRED)
    if done in LEFT:
        assert holding(left) == holding(found)


def test_a_repair_of_many_changes_leaves_only_what_holds_data(superuser: psycopg.Connection) -> None:
    for done in [*REPAIRED, "ALTER TABLE app.leads ADD COLUMN extra text"]:
        if done.startswith("DROP TRIGGER"):
            continue
        superuser.execute(done)
    repair(superuser)
    assert [line for line in facts(superuser) if line not in EXPECTED] == ["column app.leads.extra text"]
    assert [line for line in EXPECTED if line not in facts(superuser)] == []


def test_a_repair_with_nothing_to_do_changes_nothing(superuser: psycopg.Connection) -> None:
    repair(superuser)
    assert facts(superuser) == EXPECTED
