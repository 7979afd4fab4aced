"""`leadgen person`: find, export and erase what is stored of a person."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce, wraps
from typing import Any, Final
from uuid import uuid4

import click

from leadgen.api import identity
from leadgen.cli.operator import by, not_blank
from leadgen.cli.table import print_table
from leadgen.config import load
from leadgen.domain.erasure import ErasureKey, Identity, Tombstone
from leadgen.errors import LeadgenError
from leadgen.store import erasures, personal_data, queue
from leadgen.store.connection import Connection, Limits, connect
from leadgen.store.personal_data import Counts, Trace

# A search reads every intake.
LIMITS: Final = Limits(statement_ms=600_000)

_TABLES: Final = ("intakes", "queued", "dead", "leads", "consents")

_NAMES: Final = {"email": "an email address", "phone": "a phone number"}


@click.group()
def person() -> None:
    """Find, export or erase what is stored of a person."""


def _about_a_person(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name a person."""

    @wraps(command)
    def call(*, email: str | None, phone: str | None, **others: Any) -> None:  # noqa: ANN401 - click types no command's parameters
        if (email is None) == (phone is None):
            raise click.UsageError("give --email or --phone, and one of them only")
        command(_read("email", email) if email is not None else _read("phone", phone or ""), **others)

    options = (
        click.option(
            "--email", metavar="ADDRESS", help="The person's email address; - reads it from standard input."
        ),
        click.option(
            "--phone", metavar="NUMBER", help="The person's phone number; - reads it from standard input."
        ),
    )
    return reduce(lambda made, option: option(made), reversed(options), call)


_reason = click.option(
    "--reason",
    default="the person asked for it",
    show_default=True,
    callback=not_blank,
    help="Why; logged in app.job_audit with your name. It must not name the person.",
)


@person.command()
@_about_a_person
def find(who: Identity) -> None:
    """Show how many rows of each table belong to a person, and their ids and states; no personal data."""
    digest = _digest(load().erasure_key, who)
    with database() as connection:
        traces = personal_data.find(connection, who, identify)
        counts = personal_data.count_rows(connection, traces, digest)
        intakes = personal_data.list_intakes(connection, traces)
    print_counts(counts)
    print_table(
        ("intake", "client", "received", "state"),
        ((row["intake_id"], row["client_id"], row["created_at"][:19], row["state"]) for row in intakes),
    )


@person.command()
@_about_a_person
@_reason
@by
def export(who: Identity, reason: str, by: str) -> None:
    """Print all that is stored of a person as JSON, and log it.

    The person's own copy of their data: keep it as carefully as the database.
    """
    _refuse_name(who, reason)
    digest = _digest(load().erasure_key, who)
    with database() as connection:
        traces = personal_data.find(connection, who, identify)
        document = {
            who.kind: who.value,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "intakes": personal_data.list_intakes(connection, traces),
            "leads": personal_data.list_leads(connection, traces),
            "consents": personal_data.list_consents(connection, traces, digest),
        }
        counts = personal_data.count_rows(connection, traces, digest)
        personal_data.log_export(connection, actor=by, reason=reason, digest=digest, counts=counts)
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@person.command()
@_about_a_person
@click.option("--yes", is_flag=True, help="Erase without a question; without a terminal, it has to be given.")
@_reason
@by
def erase(who: Identity, yes: bool, reason: str, by: str) -> None:
    """Erase what is stored of a person, and keep a tombstone by which a restore erases it again.

    Shows the counts first. Consents stay as evidence, without what names the person. Needs LEADGEN_ERASURE_KEY.
    Exit code 1 also if the question is answered with no.
    """
    _refuse_name(who, reason)
    key = erasure_key()
    digest = key.digest(who)
    with database() as connection:
        traces = personal_data.find(connection, who, identify)
        print_counts(personal_data.count_rows(connection, traces, digest))
        if not traces:
            click.echo("nothing to erase", err=True)
            return
        if not yes:
            _ask()
        _warn_of_other_keys(connection, key)
        # Once more: the question may have been open for long. What comes after this moment is a new submission.
        now = datetime.now(UTC)
        traces = personal_data.find(connection, who, identify)
        tombstone = Tombstone(
            erasure_id=uuid4(),
            kind=who.kind,
            digest=digest,
            key_id=key.key_id,
            erased_at=max([now, *(trace.received_at for trace in traces)]),
            counts={},
        )
        entries = personal_data.entries_of(traces, identify, key)
        erased = erasures.erase(connection, tombstone, entries, actor=by, reason=reason)
    click.echo(f"erased, with the tombstone {tombstone.erasure_id}:")
    print_counts(erased)


@contextmanager
def database() -> Iterator[Connection]:
    """The database, for a command that reads every intake."""
    url = load("database_url").database_url
    with queue.translated_errors(), connect(url, "person", LIMITS) as connection:
        yield connection


def identify(trace: Trace) -> frozenset[Identity]:
    return identity.identities(
        email=trace.email, phone_e164=trace.phone_e164, email_text=trace.email_text, phone_text=trace.phone_text
    )


def erasure_key() -> ErasureKey:
    """Raises LeadgenError without one."""
    key = load().erasure_key
    if key is None:
        raise LeadgenError(
            "erasure key",
            "LEADGEN_ERASURE_KEY is not set, and the digests that stay after an erase need it",
            "set LEADGEN_ERASURE_KEY_FILE to a file with at least 32 random bytes, and never change them",
        )
    return key


def print_counts(counts: Counts) -> None:
    # The database's functions return theirs in no useful order.
    print_table(("table", "rows"), ((table, str(counts[table])) for table in _TABLES if table in counts))


def _read(kind: str, value: str) -> Identity:
    text = sys.stdin.readline() if value == "-" else value
    try:
        who, readable = identity.read(kind, text)
    except ValueError as error:
        # Never with the value: a message ends up in a log.
        raise click.UsageError(f"--{kind} {error}") from None
    if not readable:
        click.echo(f"not {_NAMES[kind]}: only what was written exactly so is found", err=True)
    return who


def _refuse_name(who: Identity, reason: str) -> None:
    if who.is_in(reason):
        raise click.UsageError("--reason names the person, and it is kept: write it without")


def _digest(key: ErasureKey | None, who: Identity) -> bytes | None:
    return key.digest(who) if key else None


def _ask() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at: check the counts and give --yes")
    click.confirm("Erase these rows for good?", abort=True, err=True)


def _warn_of_other_keys(connection: Connection, key: ErasureKey) -> None:
    others = [stone for stone in erasures.list_tombstones(connection) if stone.key_id != key.key_id]
    if others:
        click.echo(
            f"warning: {len(others)} earlier tombstones are of another key, and a replay needs both of them",
            err=True,
        )
