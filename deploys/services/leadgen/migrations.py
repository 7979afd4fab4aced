"""Migrations of an image of the intake: those it ships, those the database has, and how the rest is applied."""

import io
import re
import tarfile
from collections.abc import Generator, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Final, NamedTuple

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe, digest
from deploys.kit.operations import gate
from deploys.kit.operations.image import Image
from deploys.kit.shell import SPARE_SECONDS, bounded
from deploys.services.backup import state as backup_state
from deploys.services.leadgen import leadgen
from deploys.services.postgres import database

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

OWNER: Final = "postgres-owner"
_FACTS: Final = "leadgen/store/schema_facts.sql"
_EXPECTED: Final = "leadgen/store/schema_facts.txt"
_REPAIR: Final = "leadgen/store/schema_repair.sql"
_VERSIONS: Final = 'SELECT version FROM app.schema_migrations ORDER BY version COLLATE "C"'
_LOOK: Final = "this page does not repair what may hold data: look at it, and see docs/services/postgres.md"
_APPLY_SECONDS: Final = 300  # the runner limits each statement itself; this is for a hang
_FILE: Final = re.compile(r"leadgen/store/migrations/(\d{4})_(pre|post)_\w+\.sql")


class Migration(NamedTuple):
    """`stage` is `pre` if the previous release works on its schema, `post` if it does not."""

    stage: str
    version: str
    checksum: str


def shipped(image: Image) -> list[Migration]:
    """The migrations in an image's build context, in order; each begins with `-- version: <version>`."""
    found = [(name[1], name[2], text) for path, text in _texts(image).items() if (name := _FILE.fullmatch(path))]
    return [Migration(stage, text.split(maxsplit=3)[2], digest(text)) for _, stage, text in sorted(found)]


def _texts(image: Image) -> dict[str, str]:
    """Path -> text of the SQL and its expected facts in an image's build context."""
    with tarfile.open(fileobj=io.BytesIO(image.context)) as tar:
        return {
            member.name: content.read().decode()
            for member in tar.getmembers()
            if member.name.startswith("leadgen/store/")
            and member.name.endswith((".sql", ".txt"))
            and (content := tar.extractfile(member))
        }


def up_to(image: Image, version: str) -> list[Migration]:
    """The image's migrations up to and including one. Raises Refused if it does not ship that one."""
    known = shipped(image)
    versions = [migration.version for migration in known]
    if version not in versions:
        raise Refused(image.tag, f"does not ship the migration {version}", "pin a ref that has it")
    return known[: versions.index(version) + 1]


def describe(migrations: Sequence[Migration]) -> str:
    """The query that answers `expected` once they are applied, each with the text that the image ships."""
    listed = ", ".join(f"'{migration.version}'" for migration in migrations)
    return f"SELECT version || ' ' || checksum FROM app.schema_migrations WHERE version IN ({listed}) ORDER BY 1"  # noqa: S608 - versions of our own files


def expected(migrations: Sequence[Migration]) -> str:
    return "".join(sorted(f"{migration.version} {migration.checksum}\n" for migration in migrations))


def applied(page: "Page", image: Image, migrations: Sequence[Migration]) -> None:
    """They are applied by the image itself, as the owner role, in a temporary container."""
    secrets.deliver(page, [OWNER])
    page.uses("migrations", expected(migrations))
    _applied(
        page=page,
        image=image,
        migrations=list(migrations),
        **page.op(f"migrations up to {migrations[-1].version}", _APPLY_SECONDS + SPARE_SECONDS),
    )


def backup_before(page: "Page", postgres_image: str, migrations: Sequence[Migration]) -> None:
    """If one of them is not yet applied: a dump, restored and counted."""
    backup_state.warn(page)
    database.backup_before(page, postgres_image, describe=describe(migrations), expected=expected(migrations))


def missing(migrations: Sequence[Migration]) -> list[Migration]:
    """In a generator: those that the database lacks. Raises OperationError if one differs there."""
    answer = host.get_fact(Probe, database.query(describe(migrations), "motorcade"))
    there = dict(line.split(" ") for line in answer.lines) if answer.green else {}
    for migration in migrations:
        if there.get(migration.version, migration.checksum) != migration.checksum:
            raise OperationError(
                f"{migration.version}: was applied with a different text than this release ships; restore the "
                "file from the release that applied it"
            )
    return [migration for migration in migrations if migration.version not in there]


def repaired(page: "Page", image: Image) -> None:
    """Rights, triggers, rules and row security are brought back to what the image's migrations make."""
    if _FACTS in (texts := _texts(image)):  # not in a release from before
        page.uses("schema", texts[_EXPECTED])
        _repaired(page=page, image=image, texts=texts, **page.op("rights and triggers of the schema", 120))


def whole(page: "Page", image: Image) -> None:
    """The schema is what the image's migrations make; the gate is red with each fact that differs.

    Not before a release is rolled: an index that somebody added must not keep a bad release in use.
    """
    if _FACTS in (texts := _texts(image)):
        known = "\n".join(sorted(migration.version for migration in shipped(image)))
        versions = database.query(_VERSIONS, "motorcade")
        compare = database.compare(_facts(texts), "".join(f"{line}\n" for line in _expected(texts)), _LOOK)
        # Without an answer it is red: only versions that are another release's make it green unseen.
        probe = f'there="$({versions})" && {{ [ "$there" != {quote(known)} ] || {{ {compare}}}; }}'
        gate.wait(page, "the schema is as the release makes it", probe, seconds=1)


@operation()
def _repaired(page: "Page", image: Image, texts: dict[str, str]) -> Generator[StringCommand]:
    known = {migration.version for migration in shipped(image)}
    there = host.get_fact(Probe, database.query(_VERSIONS, "motorcade"))
    if there.green and set(there.lines) != known:
        host.noop(f"{page.id}: the database has another release's schema")
        return
    answer = host.get_fact(Probe, database.query(_facts(texts), "motorcade"))
    if answer.lines == _expected(texts):
        host.noop(f"{page.id}: the schema is as expected")
        return
    page.may_change(f"the schema{database.differences(answer.lines, _expected(texts)) if answer.green else ''}")
    yield StringCommand(database.psql("motorcade"), "--single-transaction", _stdin=_repair(texts))


def _expected(texts: dict[str, str]) -> list[str]:
    return sorted(texts[_EXPECTED].splitlines())


def _facts(texts: dict[str, str]) -> str:
    # So that only PostgreSQL's own functions are called, with the superuser's rights.
    lines = f"SELECT line FROM ({texts[_FACTS]}) AS facts ORDER BY line"  # noqa: S608 - the release's own file
    return f"SET search_path = pg_catalog; {lines}"


def _repair(texts: dict[str, str]) -> str:
    expected = texts[_EXPECTED].rstrip("\n").replace("'", "''")
    lines = f"SELECT string_to_table('{expected}', E'\\n')"
    return (
        "SET LOCAL search_path = pg_catalog;\n"
        f"CREATE TEMPORARY TABLE expected (line) ON COMMIT DROP AS {lines};\n"
        f"CREATE TEMPORARY VIEW found AS {texts[_FACTS]};\n{texts[_REPAIR]}"
    )


@operation()
def _applied(page: "Page", image: Image, migrations: list[Migration]) -> Generator[StringCommand]:
    todo = missing(migrations)
    if not todo:
        host.noop(f"{page.id}: the database has {migrations[-1].version}")
        return
    page.may_change(", ".join(migration.version for migration in todo))
    yield bounded(_run(image, migrations[-1].version), _APPLY_SECONDS)
    yield StringCommand(database.compare(describe(migrations), expected(migrations)))


def _run(image: Image, version: str) -> str:
    secret = f"/run/secrets/motorcade-{OWNER}"
    return (
        "podman run --rm --replace --name motorcade-leadgen-migrate --network none --read-only"
        f" --cap-drop all --security-opt no-new-privileges --log-driver none --pull never"
        f" --timeout {_APPLY_SECONDS}"
        f" --secret motorcade-{OWNER},type=mount,uid={leadgen.USER},gid={leadgen.USER},mode=0400"
        f" --volume {database.SOCKETS}:{database.SOCKETS}:ro,z"
        f" --env 'LEADGEN_OWNER_DATABASE_URL=postgresql://motorcade_owner@/motorcade?host={database.SOCKETS}'"
        f" --env LEADGEN_OWNER_DATABASE_PASSWORD_FILE={secret} {image.tag} migrate --to {version}"
    )
