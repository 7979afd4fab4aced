"""One run of one or several pages on one host: its plan, its lock, its record, its end.

Pages are loaded, then pyinfra runs their operations. The first operation's start takes the lock and opens the
record; the disconnect, which pyinfra never leaves out, closes both. Neither is an operation, so neither counts as
a change, and a dry run or a refused load writes nothing.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Final
from weakref import WeakKeyDictionary

import click
import gevent
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.context import host
from typing_extensions import override

from deploys.kit import deployments, lock, origin, pins, record, settings, tally
from deploys.kit.errors import Refused
from deploys.kit.signals import Stop

DIRECTORY: str = "/var/lib/motorcade"
ANSWER_SECONDS: Final = 30  # for lock and record; a host that needs longer is as good as lost
_FLAGS: Final = {"--no-wait": "a failed operation would end with 0", "--serial": "it hides why a run was refused"}


# What pages read of --data besides settings; pyinfra would pass over a misspelt one in silence.
_DATA: Final = {
    "acknowledge",
    "at",
    "leadgen_git_ref",
    "leadgen_post",
    "over",
    "reason",
    "state",
    "unlock",
    "verify",
}


class Unreachable(Refused):
    """The host did not answer: whatever was asked of it may have happened or not."""


class Session:
    """What pages, callbacks and signals share during one run. Made by `current`."""

    def __init__(self, state: State, directory: str) -> None:
        self.origin = origin.here()
        self.plan: list[str] = []
        self.differences: dict[str, str] = {}  # hash of an operation -> what is not as its page says
        self._directory = directory
        self._notes: dict[str, Mapping[str, Any]] = {}
        self._backups: list[dict[str, str]] = []
        self._tally = tally.Tally()
        self._stop = Stop(state)
        self._log = Path()
        self._opened: record.Tail | None = None
        self._started: dict[str, Any] = {}

    @property
    def run_id(self) -> str:
        return self.origin.run

    @property
    def git(self) -> str:
        """The commit that runs, marked when files differ from it."""
        return self.origin.git + ("-dirty" if self.origin.dirty else "")

    def listen(self) -> None:
        self._stop.listen()

    def enter(self, page_id: str, note: Mapping[str, Any] | None) -> None:
        """At load, in order: the page joins the plan. `note` goes on record too, such as the owner's unlock."""
        self._acknowledged()
        self.plan.append(page_id)
        if note:
            self._notes[page_id] = note

    def note(self, page_id: str, note: Mapping[str, Any]) -> None:
        """At load: what else the record shall say of a page."""
        self._notes[page_id] = {**self._notes.get(page_id, {}), **note}

    def note_backup(self, path: str, restore: str) -> None:
        self._backups.append({"path": path, "restore": restore})

    def data(self, key: str) -> str | None:
        """A `--data` value. Raises Refused for what pyinfra turned into a number, a list, true or false."""
        value = host.data.get(key)
        if value is None or isinstance(value, str):
            return value
        raise Refused(f"--data {key}", f"{value!r} is not text", "give a word, such as a tag instead of a number")

    def start_operation(self, state: State, host: Host, op_hash: str) -> None:
        """Before the first one: the lock and the record. Raises Refused, and then nothing runs."""
        if self._opened is None:
            self._begin(host)
        self._tally.start(tally.title(state, op_hash, self.plan))

    def stop_operation(self, *, succeeded: bool) -> None:
        self._tally.stop(succeeded=succeeded)

    def finish(self, state: State, host: Host) -> None:
        """However the run ended, and even if it never began."""
        self._stop.closing = True
        # Told to stop, pyinfra disconnects while a step still runs; the lock has to outlive the step.
        gevent.joinall([other for other in state.pool.greenlets if other is not gevent.getcurrent()])
        if self._opened is not None:
            self._end(state, host, self._opened)

    def _begin(self, host: Host) -> None:
        """Lock, then record: a run that was refused has written nothing."""
        mine = self.origin
        acknowledged = self._acknowledged()
        if given := settings.overridden(host):
            self._notes["--data"] = given
        self._started = self._describe(host)
        self._log = deployments.prepare(settings.read(host).deployments_directory)
        holder = lock.Holder(
            mine.run, mine.who, mine.machine, mine.since, tuple(dict.fromkeys(self.plan)), mine.pid
        )
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

    def _open(self, host: Host, acknowledged: str | None, *, broke: bool) -> record.Tail:
        """Append STARTED, and before it the end of an acknowledged run; returns the record's new end."""
        tail = record.read_tail(_ask(host, record.read_command(self._directory)))
        unclosed = record.unclosed(tail.lines)
        if unclosed and unclosed["run"] != acknowledged:
            raise _unclosed(host.name, unclosed)
        if acknowledged and not unclosed and not broke:
            raise Refused(host.name, f"{acknowledged} is neither open nor locked", "leave --data acknowledge out")
        events = [self._interrupted(acknowledged, unclosed or {})] if acknowledged else []
        lines, end = record.chain(tail, [*events, {**self._started, "event": "STARTED"}])
        # Whoever closes a dead run cannot know how far its pages came: all of them have to pass again.
        doubtful = [self._mark(page, unclosed, "killed") for page in unclosed["pages"]] if unclosed else []
        stale = f"rm -f {quote(self._directory)}/why"
        _ask(host, "\n".join(["set -e", stale, *doubtful, record.append_command(self._directory, tail, lines)]))
        for event in events:
            written = record.Tail(end.count - 1, json.loads(lines[-1])["prev"], torn=False)
            deployments.append(self._log, event, deployments.entry(event, written))
        return end

    def _describe(self, host: Host) -> dict[str, Any]:
        """What both ends of a run say of it."""
        read = settings.read(host)
        release = pins.load(read.release_file)
        return {
            "time": _now(),
            "run": self.run_id,
            "pages": list(dict.fromkeys(self.plan)),
            "environment": read.environment,
            "host": host.name,
            "release": release.name,
            "manifest": release.sha256,
            "git": self.origin.git,
            "dirty": self.origin.dirty,
            "who": self.origin.who,
            "from": self.origin.machine,
            "notes": self._notes,
            "acknowledge": self.data("acknowledge"),
        }

    def _interrupted(self, run: str, unclosed: record.Event) -> dict[str, Any]:
        """Closes a dead run; one that died before its STARTED left nothing but its lock."""
        return {
            **{key: unclosed.get(key, value) for key, value in self._started.items()},
            "event": "INTERRUPTED",
            "time": self._started["time"],
            "run": run,
            "started": unclosed.get("time", "not at all"),
            "acknowledged_by": f"{self.origin.who}@{self.origin.machine}",
            "acknowledged_in": self.run_id,
        }

    def _acknowledged(self) -> str | None:
        run = self.data("acknowledge")
        if run is not None and not lock.RUN_ID.fullmatch(run):
            raise Refused("--data acknowledge", f"{run!r} is no run id", "copy it from the refusal or the record")
        return run

    def _end(self, state: State, host: Host, opened: record.Tail) -> None:
        """The log of deploys first, as the host may be out of reach; then record, red mark, lock at once."""
        result = self._result(state, host)
        figures = tally.figures(state, host, self.plan, self._tally)
        event = {**self._started, "event": result, "time": _now(), **figures, "backups": self._backups}
        if result == "FAILED" and (why := self._why(host)):
            event["why"] = why
        lines, end = record.chain(opened, [event])
        page = deployments.append(self._log, event, deployments.entry(event, end))
        commands = [record.append_command(self._directory, opened, lines)]
        red = self._red(event) if result != "OK" else None
        commands += [red] if red else []
        commands.append(lock.release_command(self._directory, self.run_id))
        try:
            _ask(host, "set -e\n" + "\n".join(f"(\n{command}\n)" for command in commands))
        except Refused as error:
            deployments.append(self._log, event, deployments.unrecorded(event, end, str(error)))
            self._summarize(event, f"{page}; the host does not know it: {error}")
            if result == "OK":
                raise click.ClickException(str(error)) from error
        else:
            self._summarize(event, f"{page}, line {end.count} on the host")

    def _result(self, state: State, host: Host) -> str:
        if self._stop.heard:
            return "INTERRUPTED"
        whole = state.current_stage is StateStage.Disconnect and not state.results[host].error_ops
        return "OK" if whole else "FAILED"

    def _why(self, host: Host) -> str:
        """What a script of the failed operation has left in words for the record; it is read once."""
        file = f"{quote(self._directory)}/why"
        try:
            return " ".join(_ask(host, f"cat {file} 2>/dev/null; rm -f {file}"))
        except Refused:
            return ""

    def _red(self, event: record.Event) -> str | None:
        """Marks the page that failed, or that was stopped after it had changed something."""
        operation = self._tally.last
        page = tally.page_of(operation, self.plan)
        stopped = event["event"] == "INTERRUPTED" and not self._tally.running
        if page is None or (stopped and not event["changed_by_page"][page]):
            return None
        return self._mark(page, event, operation)

    def _mark(self, page: str, event: record.Event, operation: str) -> str:
        """Shell: the page is red until it passes again."""
        mark = json.dumps({"run": event["run"], "time": event["time"], "operation": operation})
        steps = f"{quote(self._directory)}/steps"
        return f"mkdir -p {steps} && printf '%s\\n' {quote(mark)} > {steps}/{page}.red"

    def _summarize(self, event: record.Event, where: str) -> None:
        changed, operations = event["changed"], event["operations"]
        logger.info(f"--> {event['event']}: {self.run_id}, {changed} of {operations} operations changed something")
        logger.info(f"recorded in {where}")
        for backup in self._backups:
            logger.info(f"to go back: {backup['restore']}")


class _Callbacks(BaseStateCallback):
    """pyinfra's hooks: they know the state of a run, and by it its session."""

    @override
    @staticmethod
    def operation_host_start(state: State, host: Host, op_hash: str) -> None:
        _SESSIONS[state].start_operation(state, host, op_hash)

    @override
    @staticmethod
    def operation_host_success(state: State, host: Host, op_hash: str, retry_count: int = 0) -> None:
        _SESSIONS[state].stop_operation(succeeded=True)

    @override
    @staticmethod
    def operation_host_error(
        state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        _SESSIONS[state].stop_operation(succeeded=False)

    @override
    @staticmethod
    def host_disconnect(state: State, host: Host) -> None:
        _SESSIONS[state].finish(state, host)


_SESSIONS: Final[WeakKeyDictionary[State, Session]] = WeakKeyDictionary()


def current() -> Session:
    """The run's session; at the first call, by the first page, it joins pyinfra's callbacks and hears signals.

    Raises Refused for several hosts at once, and for flags under which a failure could go unseen.
    """
    state = host.state
    if state in _SESSIONS:
        return _SESSIONS[state]
    if len(state.activated_hosts) > 1:
        names = ", ".join(sorted(each.name for each in state.activated_hosts))
        raise Refused("inventory", f"{names} at once", "choose one host with --limit")
    for flag, why in _FLAGS.items():
        if flag in sys.argv:
            raise Refused(flag, why, "leave it out")
    if unknown := sorted(key for key in host.inventory.override_data if not _is_known(key)):
        raise Refused(f"--data {unknown[0]}", "no page reads it", f"correct its name: {', '.join(sorted(_DATA))}")
    session = _SESSIONS[state] = Session(state, DIRECTORY)
    state.callback_handlers.append(_Callbacks())
    session.listen()
    # pyinfra shows a refusal as one line; gevent would print its traceback as well.
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, PyinfraError)
    return session


def _is_known(key: str) -> bool:
    """A setting, a word for a page, or one of pyinfra's own, such as ssh_user and _sudo."""
    return key in _DATA or key in settings.NAMES or key.startswith(("ssh_", "_"))


def _ask(host: Host, command: str) -> list[str]:
    """What a command prints on the host. Raises Unreachable, or Refused when the command failed."""
    try:
        with gevent.Timeout(ANSWER_SECONDS, TimeoutError(f"no answer in {ANSWER_SECONDS} seconds")):
            good, output = host.run_shell_command(StringCommand(command), _sudo=bool(host.data.get("_sudo")))
    except (OSError, SSHException, EOFError) as error:
        raise Unreachable(host.name, f"the connection is lost ({error})", "look at the host") from error
    if not good:
        raise Refused(host.name, f"lock or record: {output.stderr or output.stdout}", "look at the host's record")
    return output.stdout_lines


def _unclosed(host: str, event: record.Event) -> Refused:
    pages = ", ".join(event["pages"])
    return Refused(
        host,
        f"{event['run']} by {event['who']}@{event['from']} ({pages}) was started and never closed",
        f"look at the host, then run again with --data acknowledge={event['run']}",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
