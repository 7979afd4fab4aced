"""`leadgen keys`: make, list and revoke API keys; the file holds digests, never a key."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from leadgen.api.auth import load_ring
from leadgen.cli.table import print_table
from leadgen.config import load
from leadgen.domain.api_key import SCOPES, Entry, KeyRing, mint, without_key
from leadgen.errors import KeyFileError

SOON_DAYS: Final = 30
_NEW_FILE_MODE: Final = 0o600


@click.group()
def keys() -> None:
    """Make, list and revoke the API keys in LEADGEN_API_KEYS_FILE."""


@keys.command()
@click.option("--client", required=True, help="Who will hold it, e.g. wordpress; may have several keys.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(sorted(SCOPES)),
    default=("intake",),
    show_default=True,
    help="What it may do; may be given several times.",
)
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="When it ends, in UTC; the default is never.",
)
@click.option("--days", type=click.IntRange(1, 3_650), help="In how many days it ends, instead of --expires.")
@click.option("--append", is_flag=True, help="Also add its line to the file, which is made if need be.")
def new(client: str, scopes: tuple[str, ...], expires: datetime | None, days: int | None, append: bool) -> None:
    """Make a key and print it: on the first line the key itself, on the second the line for the file.

    The key is shown this once and stored nowhere.
    """
    try:
        text, line = mint(client, frozenset(scopes), _end(expires, days))
    except ValueError as error:
        raise click.UsageError(f"The key {error}.") from None
    if append:
        path = load("api_keys_file").api_keys_file
        _write(path, _with_line(path, line))
    click.echo("The key, shown this once, and its line for the keys file:", err=True)
    click.echo(text)
    click.echo(line)
    if append:
        click.echo(f"Added to {path}; a running API takes it up within two seconds.", err=True)


@keys.command("list")
def list_keys() -> None:
    """List the keys: id, client, scopes, expiry and what there is to say of it."""
    ring = load_ring(load("api_keys_file").api_keys_file)
    now = datetime.now(UTC)
    rows = [
        (
            entry.client.key_id,
            entry.client.client_id,
            ",".join(sorted(entry.client.scopes)),
            entry.expires_text,
            _remark(entry, now),
        )
        for entry in ring
    ]
    print_table(("Key id", "Client", "Scopes", "Expires", "State"), rows)


@keys.command()
@click.argument("key_id", help="Its id, as `leadgen keys list` shows it.")
def revoke(key_id: str) -> None:
    """Turn the line of the key KEY_ID into a dated comment, so that it opens nothing any more."""
    path = load("api_keys_file").api_keys_file
    others = [entry for entry in load_ring(path) if entry.client.key_id != key_id]
    try:
        text = without_key(path.read_text(encoding="utf-8"), key_id, datetime.now(UTC))
    except KeyError:
        raise KeyFileError("keys revoke", "no key has that id", "see `leadgen keys list`") from None
    if not others:
        # A running API would take the empty file for a mistake and go on with what it has.
        raise KeyFileError(
            "keys revoke",
            "this is the only key, and the API does not work without one",
            "make its successor first: `leadgen keys new --append`",
        )
    _write(path, text)
    click.echo(f"revoked {key_id}; a running API refuses it within two seconds")


def _end(expires: datetime | None, days: int | None) -> datetime | None:
    if expires is not None and days is not None:
        raise click.UsageError("--expires and --days are two ways to say one thing: give one of them.")
    now = datetime.now(UTC)
    if days is not None:
        return now + timedelta(days=days)
    if expires is not None and expires.replace(tzinfo=UTC) <= now:
        raise click.UsageError("--expires lies in the past.")
    return expires and expires.replace(tzinfo=UTC)


def _remark(entry: Entry, now: datetime) -> str:
    if entry.expires is None or entry.expires > now + timedelta(days=SOON_DAYS):
        return "ok"
    if entry.expired(now):
        return "expired"
    return f"expires in {(entry.expires - now).days} days"


def _with_line(path: Path, line: str) -> str:
    """Return the file's text with the line at its end; KeyFileError rather than add to a file that is bad."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    text += line + "\n"
    KeyRing.load(text, f"API keys file {path}")
    return text


def _write(path: Path, text: str) -> None:
    """Put a new file in the old one's place in one step, with its mode and owner: readers see one or the other."""
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
            _copy_rights(path, handle)
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _copy_rights(path: Path, handle: int) -> None:
    if not path.exists():
        os.fchmod(handle, _NEW_FILE_MODE)
        return
    old = path.stat()
    os.fchmod(handle, old.st_mode & 0o7777)
    os.fchown(handle, old.st_uid, old.st_gid)
