"""`leadgen jobs`: what an operator can do about intakes that failed to become leads."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import click

from leadgen.cli.operator import by, not_blank
from leadgen.cli.table import print_table
from leadgen.config import load
from leadgen.store import dead_jobs, queue
from leadgen.store.connection import Connection, connect
from leadgen.store.dead_jobs import Job

SHOWN_MOST: Final = 200


_ids = click.argument(
    "intake_ids", metavar="[INTAKE_ID]...", nargs=-1, type=click.UUID, help="The ids of the intakes."
)
_all = click.option("--all", "everything", is_flag=True, help="Every dead intake.")


_reason = click.option(
    "--reason", required=True, callback=not_blank, help="Why; logged in app.job_audit with your name."
)


@click.group()
def jobs() -> None:
    """List, show, replay or discard intakes that failed to become leads."""


@jobs.command("list")
@click.option("--all", "everything", is_flag=True, help="Include discarded intakes.")
def list_jobs(everything: bool) -> None:
    """List dead intakes, and those that failed and will be retried."""
    with _database() as connection:
        failed = dead_jobs.list_failed(connection, discarded=everything, most=SHOWN_MOST + 1)
    print_table(
        ("intake", "client", "state", "attempts", "when", "reason"),
        (
            (str(job.intake_id), job.client_id, job.state, str(job.attempts), _when(job.at), job.reason or "")
            for job in failed[:SHOWN_MOST]
        ),
    )
    if len(failed) > SHOWN_MOST:
        click.echo(f"only the oldest {SHOWN_MOST} are shown", err=True)


@jobs.command()
@click.argument("intake_id", type=click.UUID, help="The id of the intake.")
@click.option("--payload", is_flag=True, help="Include the personal data that was sent.")
def show(intake_id: UUID, payload: bool) -> None:
    """Show one intake, its state and its audit log, without personal data."""
    with _database() as connection:
        job = dead_jobs.get_job(connection, intake_id)
        entries = dead_jobs.list_audit(connection, intake_id)
    print_table(("job", str(job.intake_id)), _describe(job))
    if entries:
        print_table(
            ("when", "who", "what", "why"),
            ((_when(entry.at), entry.actor, entry.action, entry.reason) for entry in entries),
        )
    if payload:
        click.echo(json.dumps(job.payload, indent=2, ensure_ascii=False))


@jobs.command()
@_ids
@_all
@_reason
@by
def replay(intake_ids: tuple[UUID, ...], everything: bool, reason: str, by: str) -> None:
    """Put dead intakes back into the queue, with a full set of attempts."""
    click.echo(f"{_settle(dead_jobs.replay, intake_ids, everything, reason, by)} replayed")


@jobs.command()
@_ids
@_all
@_reason
@by
def discard(intake_ids: tuple[UUID, ...], everything: bool, reason: str, by: str) -> None:
    """Discard dead intakes: they never become leads, and their rows stay."""
    click.echo(f"{_settle(dead_jobs.discard, intake_ids, everything, reason, by)} discarded")


@contextmanager
def _database() -> Iterator[Connection]:
    with queue.translated_errors(), connect(load("database_url").database_url, "jobs") as connection:
        yield connection


def _settle(
    settle: Callable[..., None], intake_ids: tuple[UUID, ...], everything: bool, reason: str, by: str
) -> int:
    """Replay or discard the intakes on the command line, all or none, and return how many."""
    if bool(intake_ids) == everything:
        raise click.UsageError("give one or more intake ids, or --all for every dead one; not both")
    with _database() as connection, connection.transaction():
        chosen = dead_jobs.list_dead(connection) if everything else list(dict.fromkeys(intake_ids))
        for intake_id in chosen:
            settle(connection, intake_id, actor=by, reason=reason)
    return len(chosen)


def _describe(job: Job) -> list[tuple[str, str]]:
    return [
        ("state", job.state),
        ("client", job.client_id),
        ("request", job.request_id),
        ("received", _when(job.received_at)),
        ("finished", _when(job.finished_at) if job.finished_at else ""),
        ("failed attempts", str(job.attempts)),
        ("last error", job.reason or ""),
    ]


def _when(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")
