"""PostgreSQL for pages: a query describes it, the answer is compared, and a script applies changes."""

import base64
import hashlib
import hmac
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.facts import Answer, Probe, digest
from deploys.kit.operations import backup
from deploys.kit.run.steps import Steps
from deploys.kit.secrets import keys
from deploys.kit.shell import SPARE_SECONDS
from deploys.services.postgres import MAJOR

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

CONTAINER: Final = "motorcade-postgres"
USER: Final = 10001  # fixed in containers/postgres, so that the volume's owner is the same on every host
VOLUME: Final = "/srv/motorcade/volumes/postgres"
DISK: Final = f"{VOLUME}-disk"  # an empty directory beside it, by which others measure its disk without its data
CLUSTER: Final = f"{VOLUME}/{MAJOR}"
DATA: Final = f"{CLUSTER}/data"
SOCKETS: Final = "/run/motorcade/postgres"  # on the host and in the containers that connect
VERSION: Final = "SELECT split_part(current_setting('server_version'), ' ', 1)"
# Settings that differ between disk and the running server, by name; empty is the good answer.
PENDING: Final = (
    "SELECT name FROM pg_file_settings JOIN pg_settings USING (name)"
    " WHERE NOT applied OR pending_restart OR error IS NOT NULL"
)
# Settings by ALTER SYSTEM, written or in use, which override those of the page; empty is the good answer.
OVERRIDDEN: Final = (
    "SELECT name FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'"
    " UNION SELECT name FROM pg_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' ORDER BY 1"
)
_AS_OWNER: Final = f"setpriv --reuid={USER} --regid={USER} --clear-groups --no-new-privs"
AUTO: Final = f"{DATA}/postgresql.auto.conf"
_SCRAM_ITERATIONS: Final = 4096  # PostgreSQL's default; the passwords are random, so more would only cost time
_BACKUP: Final = Path("deploys/services/postgres/templates/backup-database.sh")
_RESTORE: Final = Path("deploys/services/postgres/templates/restore-database.sh")
_BACKUP_SECONDS: Final = 1800


def psql(database: str) -> str:
    """The superuser's psql inside the container, over the socket; it reads its script from standard input."""
    return (
        f"timeout 60 podman exec --interactive {CONTAINER} psql --no-psqlrc --quiet --tuples-only --no-align"
        f" --set=ON_ERROR_STOP=1 --dbname={database}"
    )


def query(sql: str, database: str = "postgres") -> str:
    """The shell command that prints a query's answer."""
    return f"printf '%s\\n' {quote(sql)} | {psql(database)}"


def expect(sql: str, answer: str, database: str = "postgres") -> str:
    """The shell command that succeeds when a query answers this, and otherwise prints the answer."""
    return f'found="$({query(sql, database)})" && [ "$found" = {quote(answer)} ] || {{ echo "$found"; false; }}'


def compare(sql: str, answer: str, advice: str = "") -> str:
    """The shell command that succeeds when a query answers this, and otherwise prints the lines that differ."""
    sides = f"< found, > expected{advice and f'; {advice}'}"
    show = f"printf %s {quote(answer)} | diff /dev/fd/3 - 3<<FOUND || {{ echo {quote(sides)}; false; }}"
    return f'found="$({query(sql, "motorcade")})"; {show}\n$found\nFOUND\n'


def differences(found: Sequence[str], expected: Sequence[str]) -> str:
    """Facts of `state` on one side only, for people; of a password, only its role."""
    more = [_fact(line) for line in found if line not in expected]
    less = [_fact(line) for line in expected if line not in found]
    sides = [f"{title}: {', '.join(facts)}" for title, facts in (("found", more), ("expected", less)) if facts]
    return f" ({'; '.join(sides)})" if sides else ""


def _fact(line: str) -> str:
    return " ".join(line.split()[:2]) if line.startswith("password ") else line


def scram_verifier(password: str, salt_from: str) -> str:
    """What PostgreSQL stores for a password; deterministic for a password and salt."""
    return verifier_with(password, hashlib.sha256(salt_from.encode()).digest()[:16])


def verifier_with(password: str, salt: bytes) -> str:
    """RFC 5802 and 7677, in PostgreSQL's form `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{text[0]}${text[1]}:{text[2]}"


def may_begin(page: "Page") -> None:
    """The cluster exists, or this page never passed and may create it; a lost one is never recreated."""
    _may_begin(page=page, **page.op("the cluster exists or may be created", 30))


@operation()
def _may_begin(page: "Page") -> Generator[StringCommand]:
    if host.get_fact(Probe, f"[ -f {DATA}/PG_VERSION ] || [ -f {VOLUME}/begin ]").green:
        host.noop(f"{page.id}: the cluster exists, or may be created")
        return
    step = host.get_fact(Steps).get(page.id)
    if step and step.passed:
        raise OperationError(
            f"{page.id}: {DATA} is gone, although a database has existed since {step.passed}; mount it or"
            f" restore it, or, to start with an empty one, touch {VOLUME}/begin"
        )
    page.may_change("the cluster")
    yield StringCommand(f"touch {VOLUME}/begin")


def settings_of_the_page(page: "Page") -> None:
    """No setting by ALTER SYSTEM is left; PostgreSQL restarts if one of them is in use until a restart.

    Before the page starts PostgreSQL: such a setting can keep it from starting.
    """
    _settings_of_the_page(page=page, **page.op("no setting by ALTER SYSTEM", 120))


@operation()
def _settings_of_the_page(page: "Page") -> Generator[StringCommand]:
    # As the owner of the folder, who may have put a link there. Only names: a value may be a password.
    written = host.get_fact(Probe, f"{_AS_OWNER} sed -n 's/^ *\\([A-Za-z][^ =]*\\).*/\\1/p' {AUTO}")
    used = _ask(OVERRIDDEN, "postgres")
    names = sorted({*(written.lines if written.green else []), *(used.lines if used.green else [])})
    if not names:
        host.noop(f"{page.id}: every setting is the page's")
        return
    page.may_change(f"settings by ALTER SYSTEM: {', '.join(names)}")
    # Not ALTER SYSTEM RESET ALL: the page's settings do not allow ALTER SYSTEM.
    yield StringCommand(f"{_AS_OWNER} sh -c ': >{AUTO}'")
    if used.green:
        yield StringCommand(f"{query('SELECT pg_reload_conf()')}; sleep 1")
        in_use = query("SELECT name FROM pg_settings WHERE pending_restart")
        yield StringCommand(
            f'waits=$({in_use}) && {{ [ -z "$waits" ] || systemctl restart {CONTAINER}.service; }}'
        )


def exists(page: "Page", database: str) -> None:
    """The database exists; created in UTF-8 if not."""
    _exists(page=page, database=database, **page.op(f"database {database}", 60))


def state(page: "Page", title: str, *, describe: str, expected: str, apply: str) -> None:
    """`describe` (a query) answers `expected` (lines in order); otherwise `apply` runs and must achieve that.

    `apply` may hold password verifiers: it goes through standard input and into no hash, log or process list.
    """
    page.uses(title, expected)
    _state(page=page, describe=describe, expected=expected, apply=apply, **page.op(title, 120))


def backup_before(page: "Page", image: str, *, describe: str, expected: str) -> None:
    """If `state` will change something: an encrypted dump, restored into a scratch container and counted."""
    recipients = " ".join(map(quote, secrets.recipients(page.settings)))
    _backup(
        page=page,
        words=f"{image} {recipients}",
        describe=describe,
        expected=expected,
        **page.op("backup of the database", _BACKUP_SECONDS + SPARE_SECONDS),
    )


@operation()
def _exists(page: "Page", database: str) -> Generator[StringCommand]:
    if database in _ask("SELECT datname FROM pg_database", "postgres").lines:
        host.noop(f"database {database} exists")
        return
    page.may_change(f"database {database}")
    yield StringCommand(query(f"CREATE DATABASE {database}"))


@operation()
def _state(page: "Page", describe: str, expected: str, apply: str) -> Generator[StringCommand]:
    answer = _ask(describe)
    if answer.lines == expected.splitlines():
        host.noop(f"{page.id}: the database is as expected")
        return
    page.may_change(f"the database{differences(answer.lines, expected.splitlines()) if answer.green else ''}")
    yield StringCommand(psql("motorcade"), "--single-transaction", _stdin=apply)
    yield StringCommand(compare(describe, expected))


@operation()
def _backup(page: "Page", words: str, describe: str, expected: str) -> Generator[StringCommand]:
    there = _ask("SELECT datname FROM pg_database", "postgres")
    executing = host.state is not None and host.state.is_executing
    if executing and not there.green:
        said = "; ".join(there.lines)
        raise OperationError(f"{page.id}: PostgreSQL does not answer ({said}); run deploys/plat_02c.py first")
    answer = _ask(describe)
    if "motorcade" not in there.lines or (answer.green and answer.lines == expected.splitlines()):
        host.noop(f"{page.id}: nothing to back up, or nothing will change")
        return
    page.may_change("the database")
    directory = f"{backup.DIRECTORY}/{page.run.run_id}/{page.id}"
    restore = (
        f"ssh {host.name} sudo cat {directory}/motorcade.age"
        f' | age --decrypt --identity "${keys.IDENTITY_VARIABLE}"'
        f" | ssh {host.name} sudo sh {directory}/restore.sh"
    )
    yield StringCommand(f"timeout {_BACKUP_SECONDS} sh -s {directory} {words}", _stdin=_BACKUP.read_text())
    yield StringCommand(
        f"printf %s {quote(_RESTORE.read_text())} > {directory}/restore.sh && sync {directory}/restore.sh"
        f" && echo {quote('to go back: ' + restore)}"
    )
    page.run.note_backup(directory, restore)


def _ask(sql: str, database: str = "motorcade") -> Answer:
    return host.get_fact(Probe, query(sql, database))


def verifiers(page: "Page", secret_of: Mapping[str, str]) -> dict[str, str]:
    """Role -> what PostgreSQL must store, from the role's secret. Raises Refused for unusable secrets."""
    secrets.require(page.settings, list(secret_of.values()))
    return {role: _verifier(page, role, name) for role, name in secret_of.items()}


def _verifier(page: "Page", role: str, name: str) -> str:
    file = page.settings.secrets_directory / f"{name}.age"
    password = secrets.reveal(page.settings, name)
    if not password.isascii():
        raise Refused(
            str(file), "is not ASCII, which PostgreSQL would normalise", "rotate it, or set an ASCII password"
        )
    return scram_verifier(password, role + digest(file.read_bytes()))


def fingerprints(verifiers: Mapping[str, str]) -> dict[str, str]:
    """Role -> sha256 of its verifier: it reveals a change and nothing else."""
    return {role: digest(verifier) for role, verifier in verifiers.items()}
