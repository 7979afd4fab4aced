"""The record that a host keeps of every run: one JSON object per line, each chained to the previous line by hash.

`python -m deploys.kit.run.record verify FILE [PAGE…]` finds a changed, missing, moved or torn line; given the
pages of docs/deployments, which quote the host's lines, also a changed or missing end.
`… show FILE` prints it for people.
FILE `-` is standard input: `ssh HOST sudo cat /var/lib/motorcade/record.jsonl | .venv/bin/python -m … show -`.

A power cut can leave an incomplete last line. It stays, as evidence: the next entry starts on a new line, carries
the hash of what was left, and has the key `mends`.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any, BinaryIO, Final, TextIO

import click

from deploys.kit.facts import digest

FIRST: Final = "0" * 64  # the hash before the first line
CLOSED: Final = ("OK", "FAILED", "INTERRUPTED")

_FILE: Final = "record.jsonl"
_TAIL_LINES: Final = 20  # a run that was never closed blocks the next, so it is among the last
_HASH: Final = f"tail -n 1 {_FILE} | tr -d '\\n' | sha256sum | cut -d ' ' -f 1"
_QUOTED: Final = re.compile(r"record of (\S+), line (\d+), sha256 ([0-9a-f]{64})")
_WITHDRAWN: Final = re.compile(
    r"withdrawn: sha256 ([0-9a-f]{64})"
)  # the host was lost before the line was written

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Tail:
    """A record's end: its number of lines, the hash of the last, whether that is torn, and the last few lines."""

    count: int
    last: str
    torn: bool
    lines: Sequence[str] = ()


def read_command(directory: str) -> str:
    # A torn line can hold any bytes, and pyinfra reads UTF-8; our own lines are ASCII.
    ascii_only = f"tail -n {_TAIL_LINES} {_FILE} | tr -cd '\\n -~'"
    return (
        f"cd {quote(directory)} || exit; [ -s {_FILE} ] || {{ echo 0 {FIRST} 0a; exit 0; }}\n"
        f"echo \"$(grep -ac '' {_FILE}) $({_HASH}) $(tail -c 1 {_FILE} | od -An -tx1)\"; {ascii_only}"
    )


def read_tail(output: Sequence[str]) -> Tail:
    """From the lines that `read_command` printed."""
    count, last, end = output[0].split()
    return Tail(int(count), last, end != "0a", tuple(output[1:]))


def chain(tail: Tail, events: Sequence[Event]) -> tuple[list[str], Tail]:
    """The lines to append after `tail`, and the end of the record once they are written."""
    lines = []
    count, last = tail.count, tail.last
    mends = tail.torn and parse(tail.lines[-1] if tail.lines else "") is None
    for event in events:
        count += 1
        whole = {"line": count, "prev": last, **({"mends": True} if mends else {}), **event}
        lines.append(json.dumps(whole))
        last, mends = digest(lines[-1]), False
    return lines, Tail(count, last, torn=False, lines=tuple(lines))


def append_command(directory: str, tail: Tail, lines: Sequence[str]) -> str:
    """Fails without writing if the record no longer ends with `tail`."""
    text = ("\\n" if tail.torn else "") + "%s\\n" * len(lines)
    return (
        f"set -eu; umask 077; cd {quote(directory)}; last={FIRST}; [ ! -s {_FILE} ] || last=$({_HASH})\n"
        f'[ "$last" = {tail.last} ] || {{ echo "the record now ends with $last" >&2; exit 1; }}\n'
        f"printf '{text}' {' '.join(map(quote, lines))} >> {_FILE}; sync -d {_FILE} ."
    )


def parse(line: str | bytes) -> dict[str, Any] | None:
    """None for a line that is not an event: torn, or not written by the kit."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and {"run", "event", "prev", "line"} <= event.keys() else None


def unclosed(lines: Sequence[str]) -> Event | None:
    """The run that was started and never ended."""
    found: dict[str, Event] = {}
    for event in filter(None, map(parse, lines)):
        if event["event"] == "STARTED":
            found[event["run"]] = event
        elif event["event"] in CLOSED:
            found.pop(event["run"], None)
    return list(found.values())[-1] if found else None


def verify(lines: Sequence[bytes]) -> list[str]:
    """Every fault, by line number; `lines` are the lines of the file, each with its end."""
    faults = [] if lines else ["line 1: missing; the file is empty"]
    wanted, last = 1, FIRST
    for number, raw in enumerate(lines, 1):
        event = parse(raw)
        if event is None or not raw.endswith(b"\n"):
            faults += [] if _mended(lines, number) else [f"line {number}: torn, or not written by the kit"]
        elif event["line"] != wanted:
            faults.append(f"line {number}: was written as line {event['line']}; lines are missing, added or moved")
            wanted = event["line"]
        elif event["prev"] != last:
            faults.append(f"line {number - 1 or 1}: changed since line {max(number, 2)} was chained to it")
        wanted = wanted + 1 if isinstance(wanted, int) else number + 1
        last = digest(raw.removesuffix(b"\n"))
    return faults


def unlike(lines: Sequence[bytes], page: str) -> list[str]:
    """Lines quoted by a page of docs/deployments that are missing from this host's record, or differ."""
    events = list(filter(None, map(parse, lines)))
    hashes = [digest(raw.removesuffix(b"\n")) for raw in lines]
    withdrawn = _WITHDRAWN.findall(page)
    return [
        f"line {number}: differs from the line that the page quotes, {sha256}"
        for host, number, sha256 in _QUOTED.findall(page)
        if events and host == events[0]["host"]
        if sha256 not in withdrawn and hashes[int(number) - 1 : int(number)] != [sha256]
    ]


def _mended(lines: Sequence[bytes], number: int) -> bool:
    after = parse(lines[number]) if number < len(lines) else None
    return bool(after and after.get("mends") and after["prev"] == digest(lines[number - 1].removesuffix(b"\n")))


def describe(lines: Sequence[bytes]) -> Iterator[str]:
    for number, raw in enumerate(lines, 1):
        event = parse(raw)
        if event is None:
            yield f"{number:5} (torn)"
            continue
        counts = f", {event['changed']} changed, {event['failed']} failed" if "changed" in event else ""
        pages = ", ".join(event["pages"])
        yield f"{number:5} {event['time']} {event['event']:<11} {event['run']} {pages} by {event['who']}{counts}"


@click.group()
def record() -> None:
    """Read a host's record."""


@record.command("verify")
@click.argument("file", type=click.File("rb"))
@click.argument("pages", type=click.File(), nargs=-1)
def _verify(file: BinaryIO, pages: Sequence[TextIO]) -> None:
    """Check the chain, and the quotes in pages of docs/deployments; exit 1 on any fault."""
    lines = file.readlines()
    faults = verify(lines) + [fault for page in pages for fault in unlike(lines, page.read())]
    for fault in faults:
        click.echo(f"{file.name}: {fault}")
    click.echo(f"{file.name}: {len(lines)} lines, {len(faults)} faults")
    sys.exit(1 if faults else 0)


@record.command("show")
@click.argument("file", type=click.File("rb"))
def _show(file: BinaryIO) -> None:
    """Print one line for each event."""
    for line in describe(file.readlines()):
        click.echo(line)


if __name__ == "__main__":
    record()
