"""A run on record: its lock and its opening before the first operation, its end after the last.

The host's record is authoritative, and the log of deploys quotes it. A refused run writes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Final

import click
import gevent
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host

from deploys.kit.errors import Refused
from deploys.kit.plan import pins, settings
from deploys.kit.run import deployments, lock, record
from deploys.kit.run.run_identity import RunIdentity
from deploys.kit.run.run_stats import RunStats, page_of

ANSWER_SECONDS: Final = 30  # for lock and record; a slower host counts as lost


class Unreachable(Refused):
    """The host did not answer; the command may or may not have run."""


@dataclass
class Run:
    """One run: who started it, its pages in order, and what they add to the record."""

    identity: RunIdentity
    plan: list[str] = field(default_factory=list)
    notes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    backups: list[dict[str, str]] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)  # files that the host made, such as the packages of an image
    stats: RunStats = field(default_factory=RunStats)


class Journal:
    """Lock and record of one run, in `directory` on its host."""

    def __init__(self, run: Run, directory: str) -> None:
        self._run = run
        self._directory = directory
        self._log = Path()
        self._started: dict[str, Any] = {}
        self._opened: record.Tail | None = None

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def open(self, host: Host, acknowledged: str | None) -> None:
        """Take the lock, then append STARTED; `acknowledged` is a dead run to close first.

        Raises Refused, having written nothing.
        """
        mine = self._run.identity
        self._started = self._describe(host, acknowledged)
        self._log = deployments.prepare(settings.read(host).deployments_directory)
        holder = lock.Holder(mine.run, mine.who, mine.machine, mine.since, tuple(self._started["pages"]), mine.pid)
        attempt = lock.read_attempt(_ask(host, lock.take_command(self._directory, holder, acknowledged)))
        if not attempt.taken:
            raise lock.refusal(host.name, attempt.holder)
        try:
            self._opened = self._open(host, acknowledged, broke=attempt.broke)
        except Unreachable:
            raise
        except Exception:
            _ask(host, lock.release_command(self._directory, mine.run))
            raise

    def close(self, host: Host, result: str, figures: Mapping[str, Any]) -> None:
        """The log of deploys first, as the host may be unreachable; then record, red mark and lock together.

        Does nothing if the run was never opened.
        """
        if (opened := self._opened) is None:
            return
        event = {**self._started, "event": result, "time": _now(), **figures, "backups": self._run.backups}
        if sums := self._sums(host):
            event["sums"] = sums
        if result == "FAILED" and (why := self._why(host)):
            event["why"] = why
        lines, end = record.chain(opened, [event])
        page = deployments.append(self._log, event, deployments.entry(event, end))
        commands = [record.append_command(self._directory, opened, lines)]
        red = self._red(event) if result != "OK" else None
        commands += [red] if red else []
        commands.append(lock.release_command(self._directory, self._run.identity.run))
        try:
            _ask(host, "set -e\n" + "\n".join(f"(\n{command}\n)" for command in commands))
        except Refused as error:
            deployments.append(self._log, event, deployments.unrecorded(event, end, str(error)))
            self._summarize(event, f"{page}; not recorded on the host: {error}")
            if result == "OK":
                raise click.ClickException(str(error)) from error
        else:
            self._summarize(event, f"{page}, line {end.count} on the host")

    def _open(self, host: Host, acknowledged: str | None, *, broke: bool) -> record.Tail:
        """Append the end of an acknowledged run, then STARTED; returns the record's new end."""
        tail = record.read_tail(_ask(host, record.read_command(self._directory)))
        unclosed = record.unclosed(tail.lines)
        if unclosed and unclosed["run"] != acknowledged:
            raise _unclosed(host.name, unclosed)
        if acknowledged and not unclosed and not broke:
            raise Refused(host.name, f"{acknowledged} is neither open nor locked", "leave --data acknowledge out")
        events = [self._interrupted(acknowledged, unclosed or {})] if acknowledged else []
        lines, end = record.chain(tail, [*events, {**self._started, "event": "STARTED"}])
        # How far the pages of a dead run came is unknown, so all of them must pass again.
        doubtful = [self._mark(page, unclosed, "killed") for page in unclosed["pages"]] if unclosed else []
        stale = f"rm -f {quote(self._directory)}/why"
        _ask(host, "\n".join(["set -e", stale, *doubtful, record.append_command(self._directory, tail, lines)]))
        for event in events:
            written = record.Tail(end.count - 1, json.loads(lines[-1])["prev"], torn=False)
            deployments.append(self._log, event, deployments.entry(event, written))
        return end

    def _describe(self, host: Host, acknowledged: str | None) -> dict[str, Any]:
        """What the first and the last entry of a run have in common."""
        read = settings.read(host)
        release = pins.load(read.release_file)
        return {
            "time": _now(),
            "run": self._run.identity.run,
            "pages": list(dict.fromkeys(self._run.plan)),
            "environment": read.environment,
            "host": host.name,
            "release": release.name,
            "manifest": release.sha256,
            "git": self._run.identity.git,
            "dirty": self._run.identity.dirty,
            "who": self._run.identity.who,
            "from": self._run.identity.machine,
            "notes": self._run.notes,
            "acknowledge": acknowledged,
        }

    def _interrupted(self, run: str, unclosed: record.Event) -> dict[str, Any]:
        """Closes a dead run; one that died before STARTED left only its lock."""
        return {
            **{key: unclosed.get(key, value) for key, value in self._started.items()},
            "event": "INTERRUPTED",
            "time": self._started["time"],
            "run": run,
            "started": unclosed.get("time", "not at all"),
            "acknowledged_by": f"{self._run.identity.who}@{self._run.identity.machine}",
            "acknowledged_in": self._run.identity.run,
        }

    def _why(self, host: Host) -> str:
        """The reason that a script of the failed operation left for the record; reading removes it."""
        file = f"{quote(self._directory)}/why"
        try:
            return " ".join(_ask(host, f"cat {file} 2>/dev/null; rm -f {file}"))
        except Refused:
            return ""

    def _sums(self, host: Host) -> dict[str, str]:
        """Path -> sha256 of the files that pages asked for; without those that are not there."""
        if not self._run.sums:
            return {}
        listed = " ".join(map(quote, dict.fromkeys(self._run.sums)))
        try:
            found = _ask(host, f"sha256sum -- {listed} 2>/dev/null; true")
        except Refused:
            return {}
        return {path: value for value, _, path in (line.partition("  ") for line in found)}

    def _red(self, event: record.Event) -> str | None:
        """Marks the page that failed, or was stopped after changing something."""
        operation = self._run.stats.last
        page = page_of(operation, self._run.plan)
        stopped = event["event"] == "INTERRUPTED" and not self._run.stats.running
        if page is None or (stopped and not event["changed_by_page"][page]):
            return None
        return self._mark(page, event, operation)

    def _mark(self, page: str, event: record.Event, operation: str) -> str:
        """Shell: the page is red until it passes again."""
        mark = json.dumps({"run": event["run"], "time": event["time"], "operation": operation})
        steps = f"{quote(self._directory)}/steps"
        return f"mkdir -p {steps} && printf '%s\\n' {quote(mark)} > {steps}/{page}.red"

    def _summarize(self, event: record.Event, where: str) -> None:
        run, changed, operations = event["run"], event["changed"], event["operations"]
        logger.info(f"--> {event['event']}: {run}, {changed} of {operations} operations changed something")
        logger.info(f"recorded in {where}")
        for backup in self._run.backups:
            logger.info(f"to go back: {backup['restore']}")


def _ask(host: Host, command: str) -> list[str]:
    """What a command prints on the host. Raises Unreachable, or Refused when the command failed."""
    try:
        with gevent.Timeout(ANSWER_SECONDS, TimeoutError(f"no answer in {ANSWER_SECONDS} seconds")):
            good, output = host.run_shell_command(StringCommand(command), _sudo=bool(host.data.get("_sudo")))
    except (OSError, SSHException, EOFError) as error:
        raise Unreachable(host.name, f"connection lost ({error})", "check the host") from error
    if not good:
        raise Refused(host.name, f"lock or record: {output.stderr or output.stdout}", "check the host's record")
    return output.stdout_lines


def _unclosed(host: str, event: record.Event) -> Refused:
    pages = ", ".join(event["pages"])
    return Refused(
        host,
        f"{event['run']} by {event['who']}@{event['from']} ({pages}) was started and never closed",
        f"check the host, then run again with --data acknowledge={event['run']}",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
