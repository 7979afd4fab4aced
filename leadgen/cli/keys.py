"""`leadgen keys`: create, enrol, list and revoke API keys; the file holds digests, never a key."""

import os
import tempfile
from codecs import BOM_UTF8
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce, wraps
from pathlib import Path
from typing import Any, Final

import click

from leadgen.api.auth import load_ring
from leadgen.cli.table import print_table
from leadgen.config import load
from leadgen.domain import api_key
from leadgen.domain.api_key import SCOPES, Entry, KeyRing, mint, without_key
from leadgen.errors import KeyFileError

SOON_DAYS: Final = 30
_NEW_FILE_MODE: Final = 0o600
_MOST_KEY_BYTES: Final = 4_096  # of the file with an enrolled key, which is far shorter


@click.group()
def keys() -> None:
    """Create, enrol, list and revoke the API keys in LEADGEN_API_KEYS_FILE."""


def _about_a_key(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that makes a line of the keys file."""

    @wraps(command)
    def call(*, expires: datetime | None, days: int | None, **others: Any) -> None:  # noqa: ANN401 - click types no command's parameters
        command(end=_end(expires, days), **others)

    options = (
        click.option(
            "--client",
            required=True,
            help="The client that will use it, e.g. wordpress; a client may have several keys.",
        ),
        click.option(
            "--scope",
            "scopes",
            multiple=True,
            type=click.Choice(sorted(SCOPES)),
            default=("intake",),
            show_default=True,
            help="What the key allows; can be given several times.",
        ),
        click.option(
            "--expires",
            type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
            help="When the key expires, in UTC; the default is never.",
        ),
        click.option(
            "--days",
            type=click.IntRange(1, 3_650),
            help="In how many days the key expires, instead of --expires.",
        ),
        click.option(
            "--append",
            is_flag=True,
            help="Also add its line to the file, which is created if it does not exist.",
        ),
    )
    return reduce(lambda made, option: option(made), reversed(options), call)


@keys.command()
@_about_a_key
def new(client: str, scopes: tuple[str, ...], end: datetime | None, *, append: bool) -> None:
    """Create a key and print two lines: the key itself, and its line for the keys file.

    The key is shown only once and stored nowhere.
    """
    try:
        text, line = mint(client, frozenset(scopes), end)
    except ValueError as error:
        raise click.UsageError(f"The key {error}.") from None
    path = _append(line) if append else None
    click.echo("The key, shown only once, and its line for the keys file:", err=True)
    click.echo(text)
    click.echo(line)
    _say_added(path)


@keys.command()
@click.option(
    "--file",
    "source",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="The file that contains the key and nothing else; - reads standard input.",
)
@_about_a_key
def enrol(source: Path, client: str, scopes: tuple[str, ...], end: datetime | None, *, append: bool) -> None:
    """Accept a key that another system made, and print its line for the keys file.

    For a program that already has a key: 32 to 512 visible ASCII characters. The key itself is not printed.
    """
    try:
        line = api_key.enrol(_key_in(source), client, frozenset(scopes), end)
    except ValueError as error:
        raise click.UsageError(f"The key {error}.") from None
    path = _append(line) if append else None
    click.echo(line)
    _say_added(path)


@keys.command("list")
def list_keys() -> None:
    """List the keys: id, client, scopes, expiry and state."""
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
@click.argument("key_id", help="The key id, as shown by `leadgen keys list`.")
def revoke(key_id: str) -> None:
    """Revoke a key: its line becomes a dated comment."""
    path = load("api_keys_file").api_keys_file
    others = [entry for entry in load_ring(path) if entry.client.key_id != key_id]
    try:
        text = without_key(path.read_text(encoding="utf-8"), key_id, datetime.now(UTC))
    except KeyError:
        raise KeyFileError("keys revoke", "no key has that id", "see `leadgen keys list`") from None
    if not others:
        # A running API would treat the empty file as a mistake and keep the keys it has.
        raise KeyFileError(
            "keys revoke",
            "this is the only key, and the API does not work without one",
            "create its successor first: `leadgen keys new --append`",
        )
    _write(path, text)
    click.echo(f"revoked {key_id}; a running API rejects it within two seconds")


def _end(expires: datetime | None, days: int | None) -> datetime | None:
    if expires is not None and days is not None:
        raise click.UsageError("--expires and --days exclude each other: give one of them.")
    now = datetime.now(UTC)
    if days is not None:
        return now + timedelta(days=days)
    if expires is not None and expires.replace(tzinfo=UTC) <= now:
        raise click.UsageError("--expires is in the past.")
    return expires and expires.replace(tzinfo=UTC)


def _key_in(source: Path) -> str:
    """The key in a file, without the byte order mark and the line end that editors put around it."""
    with click.open_file(str(source), "rb") as file:
        text: bytes = file.read(_MOST_KEY_BYTES)
    return text.removeprefix(BOM_UTF8).strip().decode("ascii", "replace")


def _append(line: str) -> Path:
    path = load("api_keys_file").api_keys_file
    _write(path, _with_line(path, line))
    return path


def _say_added(path: Path | None) -> None:
    if path:
        click.echo(f"Added to {path}; a running API loads it within two seconds.", err=True)


def _remark(entry: Entry, now: datetime) -> str:
    if entry.expires is None or entry.expires > now + timedelta(days=SOON_DAYS):
        return "ok"
    if entry.expired(now):
        return "expired"
    return f"expires in {(entry.expires - now).days} days"


def _with_line(path: Path, line: str) -> str:
    """Return the file's text with the line appended. Raises KeyFileError when the file is already bad."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    text += line + "\n"
    KeyRing.load(text, f"API keys file {path}")
    return text


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, keeping its mode and owner: readers see either the old or the new one."""
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
