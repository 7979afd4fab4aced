"""The migrations: numbered SQL files, applied in order, each in one transaction and only once."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg

from leadgen.errors import MigrationError
from leadgen.store.connection import Connection, Limits, connect, unavailable_when_broken
from leadgen.store.queries import load
from leadgen.store.roles import missing_roles

# A migration that waits long for its lock makes every request queue up behind it.
LIMITS: Final = Limits(lock_ms=2_000, statement_ms=60_000)

LOCK_KEY: Final = 0x6C656164  # "lead": one migration run at a time on a database
_SQL: Final = load("schema_migrations")
_NAME: Final = re.compile(r"(\d{4})_(pre|post)_(\w+)\.sql")
_VERSION: Final = re.compile(r"-- version: (\S+)\n")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `stage` is `pre` if the code of the previous release still works on the new schema."""

    number: int
    stage: str
    version: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: an applied file must never change."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """The migrations of this release, in order."""
    found = []
    for file in files("leadgen.store.migrations").iterdir():
        if name := _NAME.fullmatch(file.name):
            text = file.read_text(encoding="utf-8")
            version = _VERSION.match(text)
            if version is None:
                raise MigrationError(file.name, "has no version", "start it with `-- version: <version>`")
            found.append(Migration(int(name[1]), name[2], version[1], text))
    return sorted(found, key=lambda migration: migration.number)


def required() -> list[Migration]:
    """The migrations that this release's code needs; a pending `post` one does no harm."""
    return [migration for migration in shipped() if migration.stage == "pre"]


def assert_applied(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Raise MigrationError unless all of them are applied."""
    if todo := pending(connection, migrations):
        versions = ", ".join(migration.version for migration in todo)
        raise MigrationError("database", f"lacks {versions}", "run `leadgen migrate`")


def pending(connection: Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """The migrations that this database lacks. Raises MigrationError when an applied one differs from ours."""
    applied = _applied(connection)
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationError(
                migration.version,
                "was applied with a different text than this release ships",
                "restore the file from the release that applied it; put the change into a new migration",
            )
    return [migration for migration in migrations if migration.version not in applied]


def migrate(url: str, *, to: str | None = None, dry_run: bool = False, report: Callable[[str], None]) -> list[str]:
    """Apply the pending migrations up to and including the version `to`; return the applied versions.

    `url` is the owner's. Raises MigrationError and DatabaseUnavailable; a failed migration is rolled back.
    """
    wanted = _up_to(shipped(), to)
    with unavailable_when_broken(), connect(url, "migrate", LIMITS) as connection:
        if missing := missing_roles(connection):
            raise MigrationError(
                "roles",
                f"the database server lacks {', '.join(missing)}",
                "run leadgen/store/roles.sql as a superuser first",
            )
        with _locked(connection):
            todo = pending(connection, wanted)
            for migration in todo:
                report(f"{'would apply' if dry_run else 'applying'} {migration.version}")
                if not dry_run:
                    _apply(connection, migration)
            return [migration.version for migration in todo]


def _up_to(migrations: list[Migration], to: str | None) -> list[Migration]:
    if to is None:
        return migrations
    versions = [migration.version for migration in migrations]
    if to not in versions:
        raise MigrationError(to, "is not a version of this release", f"choose one of {', '.join(versions)}")
    return migrations[: versions.index(to) + 1]


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    (free,) = connection.execute(_SQL["lock_runs"], [LOCK_KEY]).fetchone() or (False,)
    if not free:
        raise MigrationError("database", "another migration is running", "wait until it ends, then run this again")
    try:
        yield
    finally:
        # The server notices the end of a session some time after its client: the next run would be refused.
        with suppress(psycopg.Error):
            connection.execute(_SQL["unlock_runs"], [LOCK_KEY])


def _applied(connection: Connection) -> dict[str, str]:
    (table,) = connection.execute(_SQL["find_table"]).fetchone() or (None,)
    if table is None:
        return {}
    return dict(connection.execute(_SQL["list_applied"]).fetchall())


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql)
            connection.execute(_SQL["insert_applied"], [migration.version, migration.checksum])
    except psycopg.Error as error:
        raise MigrationError(
            migration.version,
            f"failed and was rolled back: {str(error).splitlines()[0]} (SQLSTATE {error.sqlstate})",
            "if it waited for a lock, run it again; otherwise the schema is not what this release expects",
        ) from error
