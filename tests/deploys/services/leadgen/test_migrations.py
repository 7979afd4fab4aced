"""Migrations as pages see them: what an image ships, what a database lacks, and how the rest is applied."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError

from deploys.kit.errors import Refused
from deploys.kit.facts import Answer, digest
from deploys.kit.operations import gate, image
from deploys.kit.operations.image import Image
from deploys.services.leadgen import migrations
from deploys.services.leadgen.migrations import Migration
from deploys.services.postgres import database
from tests.deploys.known_host import RED, KnownHost, Page

FOLDER = "leadgen/store/migrations"
TEXTS = {
    f"{FOLDER}/0002_post_b.sql": "-- version: 20260126_02_b\n-- Later.\nSELECT 2;\n",
    f"{FOLDER}/0001_pre_a.sql": "-- version: 20260126_01_a\n-- First.\nSELECT 1;\n",
    f"{FOLDER}/__init__.py": "",
    f"{FOLDER}/0003_pre_c.sql.orig": "-- version: 20260126_03_c\n",
    "leadgen/store/schema.sql": "-- version: none\n",
}
FIRST = Migration("pre", "20260126_01_a", digest(TEXTS[f"{FOLDER}/0001_pre_a.sql"]))
SECOND = Migration("post", "20260126_02_b", digest(TEXTS[f"{FOLDER}/0002_post_b.sql"]))


def built(texts: Mapping[str, str] = TEXTS) -> Image:
    context = image.pack({path: (text.encode(), False) for path, text in texts.items()})
    return Image("localhost/motorcade-leadgen:leadgen-1-abc", {}, context)


def knows(*there: Migration) -> KnownHost:
    lines = [f"{migration.version} {migration.checksum}" for migration in there]
    return KnownHost(probes={"app.schema_migrations": Answer(0, lines), "pg_database": Answer(0, ["motorcade"])})


def apply(host: KnownHost, *, locked: bool = False) -> list[StringCommand]:
    return host.run(
        migrations._applied,  # noqa: SLF001 - the operation
        page=Page(locked=locked),
        image=built(),
        migrations=[FIRST, SECOND],
    )


def test_an_image_ships_its_migrations_in_order_each_with_its_stage() -> None:
    assert migrations.shipped(built()) == [FIRST, SECOND]


def test_a_page_takes_them_up_to_its_own() -> None:
    assert migrations.up_to(built(), FIRST.version) == [FIRST]
    with pytest.raises(Refused, match=r"leadgen-1-abc: does not ship the migration 20990101_01_x; pin a ref"):
        migrations.up_to(built(), "20990101_01_x")


def test_every_migration_of_this_repository_is_shipped_with_the_version_in_its_text() -> None:
    context = image.pack(image.context_files("leadgen", "worktree", ["leadgen/store/migrations"]))
    shipped = migrations.shipped(Image("localhost/motorcade-leadgen:x", {}, context))
    assert [migration.version for migration in shipped][:3] == [
        "20260126_01_wave1_leads",
        "20260126_02_wave1_write_path",
        "20260128_01_wave4_outbox",
    ]
    assert all(migration.version.startswith("202") for migration in shipped)


def test_nothing_is_run_where_the_database_has_them_all() -> None:
    host = knows(FIRST, SECOND)
    assert apply(host, locked=True) == []
    assert host.noops == ["PLAT_99: the database has 20260126_02_b"]


@pytest.mark.parametrize(
    "host", [knows(), knows(FIRST), KnownHost(probes={"": RED})], ids=["none", "one", "no table"]
)
def test_what_is_missing_is_applied_by_the_image_itself_and_looked_at(host: KnownHost) -> None:
    run, check = apply(host)
    assert "leadgen-1-abc migrate --to 20260126_02_b" in run.get_raw_value()
    assert "--secret motorcade-postgres-owner,type=mount" in run.get_raw_value()
    assert SECOND.checksum in check.get_raw_value()
    with pytest.raises(PermissionError, match="20260126_02_b"):
        apply(host, locked=True)


def test_one_that_was_applied_with_another_text_stops_the_page() -> None:
    with pytest.raises(
        OperationError, match=r"^20260126_01_a: was applied with a different text than this release ships"
    ):
        apply(knows(FIRST._replace(checksum="0" * 64)))


@pytest.mark.parametrize(("there", "commands"), [([FIRST, SECOND], 0), ([FIRST], 2)])
def test_the_database_is_backed_up_only_where_one_is_missing(there: list[Migration], commands: int) -> None:
    page = Page()
    found = knows(*there).run(
        database._backup,  # noqa: SLF001 - what backup_before adds
        page=page,
        words="localhost/motorcade-postgres:17 age1of-the-lab",
        describe=migrations.describe([FIRST, SECOND]),
        expected=migrations.expected([FIRST, SECOND]),
    )
    assert (len(found), len(page.backups)) == (commands, commands // 2)
    for command in found[:1]:
        assert command.get_raw_value().endswith(
            " sh -s /srv/motorcade/backups/run/PLAT_99 localhost/motorcade-postgres:17 age1of-the-lab"
        )
    for path, restore in page.backups:
        assert restore == (
            f"ssh motorcade-web-01 sudo cat {path}/motorcade.age"
            ' | age --decrypt --identity "$MOTORCADE_AGE_IDENTITY"'
            f" | ssh motorcade-web-01 sudo sh {path}/restore.sh"
        )


STORE = {
    "leadgen/store/schema_facts.sql": "SELECT line, undo FROM there",
    "leadgen/store/schema_facts.txt": "GRANT a\ntable b'\n",
    "leadgen/store/schema_repair.sql": "DO 1;\n",
}
BOTH = [FIRST.version, SECOND.version]
NO_ANSWER = 2  # how psql ends without a connection


def repair(lines: list[str], versions: Answer) -> list[StringCommand]:
    host = KnownHost(probes={"SELECT version FROM": versions, "FROM (SELECT": Answer(0, lines)})
    return host.run(migrations._repaired, page=Page(), image=built(), texts=STORE)  # noqa: SLF001 - the operation


def test_a_schema_as_the_release_made_it_is_left_alone() -> None:
    assert repair(["GRANT a", "table b'"], Answer(0, BOTH)) == []


@pytest.mark.parametrize("versions", [BOTH[:1], [*BOTH, "20990101_01_x"]])
def test_a_schema_that_another_release_has_migrated_is_left_alone(versions: list[str]) -> None:
    assert repair(["table c"], Answer(0, versions)) == []


@pytest.mark.parametrize("versions", [Answer(0, BOTH), RED], ids=["changed", "no answer"])
def test_a_schema_that_was_changed_is_repaired(versions: Answer) -> None:
    (done,) = repair(["GRANT a", "table b'", "table c"], versions)
    given = str(done.connector_arguments["_stdin"])
    assert given.startswith("SET LOCAL search_path = pg_catalog;")
    assert "string_to_table('GRANT a\ntable b''', E'\\n')" in given
    assert "CREATE TEMPORARY VIEW found AS SELECT line, undo FROM there;\nDO 1;" in given
    assert "--single-transaction" in str(done)


def test_a_release_from_before_the_facts_has_none_to_compare() -> None:
    page: Any = Page()
    migrations.repaired(page, built())
    migrations.whole(page, built())
    assert page.used == {}


@pytest.mark.parametrize(
    ("versions", "facts", "code"),
    [
        (BOTH, ["GRANT a", "table b'"], 0),
        (BOTH, ["GRANT a", "table b'", "table c"], 1),
        ([*BOTH, "20990101_01_x"], ["table c"], 0),
        ([], [], NO_ANSWER),
        (BOTH, ["GRANT a", "table b'"], NO_ANSWER),
    ],
    ids=["as released", "changed", "another release", "no answer", "half an answer"],
)
def test_the_gate_is_red_with_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: list[str], facts: list[str], code: int
) -> None:
    gates: list[str] = []
    monkeypatch.setattr(gate, "wait", lambda _page, _title, probe, **_: gates.append(probe))
    page: Any = Page()
    migrations.whole(page, built(TEXTS | STORE))
    script = 'case $(cat) in *"FROM there"*) echo "{}" ;; *) echo "{}" ;; esac; exit {}'
    (tmp_path / "podman").write_text(
        "#!/bin/sh\n"
        + script.format("\n".join(facts), "\n".join(versions), code if code == NO_ANSWER else 0)
        + "\n"
    )
    (tmp_path / "podman").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", gates[0]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "< table c" in done.stdout) == (code, code == 1), done
