"""The log of deploys for people: one page per day, one entry per run, each quoting the host's record."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploys.kit.errors import Refused
from deploys.kit.run.record import Event, Tail

_ELSEWHERE: Final = "set deployments_directory in group_data/ to another folder"


def prepare(directory: Path) -> Path:
    """The directory, created if missing. Raises Refused when it is not writable."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            str(directory), f"cannot be created ({error.strerror})", f"create it, or {_ELSEWHERE}"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise Refused(str(directory), "is not writable", f"make it writable for yourself, or {_ELSEWHERE}")
    return directory


def append(directory: Path, event: Event, text: str) -> Path:
    """Adds to the page of the event's day in one write, so that two runs do not interleave; returns the page."""
    day = event["time"][:10]
    page = directory / f"{day}.md"
    try:
        opened = os.open(page, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        text = f"# Deploys of {day} (UTC)\n\n{text}"
    except FileExistsError:
        opened = os.open(page, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(opened, text.encode())
        os.fsync(opened)
    finally:
        os.close(opened)
    return page


def entry(event: Event, tail: Tail) -> str:
    """One line for a run that changed nothing, else a section; `tail` is the record that ends with the event."""
    line = f"record of {event['host']}, line {tail.count}, sha256 {tail.last}"
    title = f"{event['time'][11:19]} {event['event']}"
    if event["event"] == "OK" and not event["changed"] and not event.get("notes"):
        return (
            f"- {title}, nothing to change: {', '.join(event['pages'])} on {event['host']}"
            f" by {_who(event)}; {event['run']}; git {_git(event)}; {line}\n\n"
        )
    facts = "\n".join(f"- {fact}" for fact in _facts(event))
    return f"## {title}: {', '.join(event['pages'])} on {event['host']}\n\n{facts}\n- {line}\n\n"


def unrecorded(event: Event, tail: Tail, why: str) -> str:
    """Added when the end could not be written on the host: its record lacks the line that `entry` quotes."""
    return (
        f"- **{event['run']} is still open on {event['host']}** (withdrawn: sha256 {tail.last})\n"
        f"- {why}, then run again with `--data acknowledge={event['run']}`\n\n"
    )


def _facts(event: Event) -> Iterator[str]:
    yield f"{event['run']} by {_who(event)}, git {_git(event)}"
    yield f"{event['environment']}, release {event['release']} (manifest {event['manifest'][:12]})"
    if "acknowledged_in" in event:
        yield f"started {event['started']}, never closed; acknowledged in {event['acknowledged_in']}"
        return
    yield (
        f"{event['changed']} changed, {event['failed']} failed, of {event['operations']} operations"
        f" in {event['seconds']:.0f} s"
    )
    if event.get("failed_operation"):
        yield f"failed in: {event['failed_operation']}"
    if event.get("why"):
        yield f"why: {event['why']}"
    if event["slow"]:
        yield "slow: " + ", ".join(f"{name} {seconds} s" for name, seconds in event["slow"].items())
    for unlock in event.get("notes", {}).values():
        yield ", ".join(f"{key}: {value}" for key, value in unlock.items())
    for path, sha256 in event.get("sums", {}).items():
        yield f"{path}: sha256 {sha256}"
    for backup in event["backups"]:
        yield f"backup {backup['path']}; to go back: `{backup['restore']}`"


def _who(event: Event) -> str:
    return f"{event['who']}@{event['from']}"


def _git(event: Event) -> str:
    return f"{event['git'][:12]}{' (dirty)' if event['dirty'] else ''}"
