"""A checkpoint: what a page left on a host and the host's own record that it passed, kept in the repository.

Run from the repository root: `python -m deploys.checkpoint inventories/prod.py PLAT_02B`. It changes
nothing on the host. It refuses a page that is not green, files that have changed since the page wrote them, and a
record that was altered.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import click
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.inspect import connection
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe, digest
from deploys.kit.plan import runbook, settings
from deploys.kit.plan.entry import Entry
from deploys.kit.run import page_files, record, session
from deploys.kit.run.steps import Step, Steps

LABELS = ("version", "ref", "context")
FORM = " ".join(["{{.Name}} {{.Image}}", *(f'{{{{index .Config.Labels "motorcade.{each}"}}}}' for each in LABELS)])
# Only their labels, which name the pin; never the environment, which holds settings.
RUNNING = f"""
set -e
podman --version
found=$(podman ps --quiet)
[ "$found" ] || exit 0
# shellcheck disable=SC2086 # one word a container
podman inspect --format '{FORM}' $found
"""


@dataclass(frozen=True)
class Checkpoint:
    """One page on one host at one moment; `lines` are the record's, each with its line end, as on the host."""

    entry: Entry
    host: str
    environment: str
    time: datetime
    step: Step
    podman: str
    containers: Sequence[str]
    lines: Sequence[bytes]

    @property
    def name(self) -> str:
        return f"{self.time:%Y-%m-%d}-{self.entry.id}"


def take(host: Host, page: str) -> Checkpoint:
    """Raises Refused for a page that is not green, has changed files, or is missing from the record."""
    entry = runbook.find(page)
    step = host.get_fact(Steps).get(entry.id, Step(entry.id))
    if not step.green:
        why = f"has been red since {step.red}" if step.red else "has not passed on this host"
        raise Refused(f"{host.name}: {entry.id}", why, f"run {entry.file} until it is green")
    if drifted := page_files.of(step, page_files.sums(host, step.files)):
        raise Refused(
            f"{host.name}: {entry.id}", ", ".join(drifted), f"run {entry.file}, which restores its files"
        )
    said = _ask(host, RUNNING)
    podman = next((line for line in said if line.startswith("podman version")), "no podman")
    containers = sorted(line for line in said if line.startswith("motorcade-"))
    lines = of_page(host.name, _record(host), step)
    environment = settings.read(host).environment
    return Checkpoint(entry, host.name, environment, datetime.now(UTC), step, podman, containers, lines)


def of_page(host: str, whole: Sequence[bytes], step: Step) -> list[bytes]:
    """From a whole record, the lines of the run in which the page passed, and of its last successful run.

    Raises Refused if the record is damaged or does not contain the run.
    """
    if faults := record.verify(whole):
        raise Refused(f"{host}: record", "; ".join(faults), "find out who changed it; no checkpoint was written")
    events = [(raw, event) for raw in whole if (event := record.parse(raw))]
    good = [event["run"] for _, event in events if event["event"] == "OK" and step.page in event["pages"]]
    if step.run not in good:
        raise Refused(f"{host}: record", f"does not show that {step.run} succeeded", "run the page again")
    return [raw for raw, event in events if event["run"] in {step.run, good[-1]}]


def write(directory: Path, checkpoint: Checkpoint) -> Path:
    """Creates and returns a new folder, numbered if the page has one of that day already."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = directory / (checkpoint.name if number == 1 else f"{checkpoint.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        break
    (folder / "record.jsonl").write_bytes(b"".join(checkpoint.lines))
    (folder / "README.md").write_text("\n".join(page(checkpoint)) + "\n", encoding="utf-8")
    return folder


def page(checkpoint: Checkpoint) -> Iterator[str]:
    """The README, line by line."""
    entry, step = checkpoint.entry, checkpoint.step
    yield f"# Checkpoint of {checkpoint.time:%Y-%m-%d}: {entry.id}, {entry.title}\n"
    yield f"- {checkpoint.host} ({checkpoint.environment}), as it was at {checkpoint.time:%Y-%m-%dT%H:%M:%SZ}"
    yield f"- release {step.release}, passed {step.passed} in {step.run}, git {step.git}"
    yield f"- configuration {step.config}"
    yield f"- leaves: {entry.text.leaves}"
    yield f"- verified: {entry.text.verify}"
    yield "\n## Running\n"
    yield f"{checkpoint.podman}\n"
    yield from table(("container", "image", *LABELS), [line.split(" ") for line in checkpoint.containers])
    yield "\n## Files of the page\n"
    yield from table(("file", "sha256"), [[f"`{path}`", sum_] for path, sum_ in sorted(step.files.items())])
    yield "\n## Record\n"
    yield "`record.jsonl` holds these lines as the host has them.\n"
    for raw in checkpoint.lines:
        event: Any = record.parse(raw)
        # Worded as in docs/deployments, so that the same command verifies it.
        quoted = f"record of {checkpoint.host}, line {event['line']}, sha256 {digest(raw.rstrip())}"
        yield f"- {event['time']} {event['event']} {event['run']}; {quoted}"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Markdown; `None.` where there are no rows."""
    if not rows:
        yield "None."
        return
    yield from (f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows))


def _record(host: Host) -> list[bytes]:
    """Every line with its end, torn ones included; in base64, because pyinfra reads text only."""
    text = "".join(_ask(host, f"base64 {session.DIRECTORY}/record.jsonl"))
    return io.BytesIO(base64.b64decode(text)).readlines()


def _ask(host: Host, command: str) -> list[str]:
    answer = host.get_fact(Probe, command)
    if not answer.green:
        raise Refused(host.name, f"no answer to `{command[:40]}…`: {' '.join(answer.lines)}", "check the host")
    return answer.lines


@click.command()
@click.argument("inventory", type=click.Path(exists=True, dir_okay=False))
@click.argument("page_id", metavar="PAGE")
@click.option("--limit", help="One host of the inventory.")
def checkpoint(inventory: str, page_id: str, limit: str | None) -> None:
    """Keep what a page left on a host, and the record of it, in docs/checkpoints."""
    try:
        with connection.connected(inventory, limit) as hosts:
            for host in hosts:
                with ctx_host.use(host):
                    taken = take(host, page_id)
                    # Beside the log of deploys, which a lab keeps outside the repository.
                    directory = settings.read(host).deployments_directory.parent / "checkpoints"
                click.echo(f"{host.name}: wrote {write(directory, taken)}")
    except PyinfraError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    checkpoint()
