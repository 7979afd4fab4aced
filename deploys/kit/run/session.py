"""One run of one or more pages on one host: its plan, lock, record and end.

Pages are loaded, then pyinfra runs their operations. The start of the first operation takes the lock and opens the
record; the disconnect, which pyinfra never skips, closes both. Neither is an operation, so neither counts as a
change, and a dry run or a refused load writes nothing.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import gevent
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.context import host
from typing_extensions import override

from deploys.kit.errors import Refused
from deploys.kit.plan import services, settings
from deploys.kit.run import lock, questions, run_identity, run_stats, wire
from deploys.kit.run.journal import Journal, Run
from deploys.kit.run.signals import Stop

DIRECTORY: str = "/var/lib/motorcade"
_FLAGS: Final = {"--no-wait": "a failed operation would exit with 0", "--serial": "it hides why a run was refused"}


class Session:
    """What pages, callbacks and signals share during one run. Made by `current`."""

    def __init__(self, state: State, directory: str) -> None:
        self.differences: dict[str, str] = {}  # hash of an operation -> what differs from its page
        self.owned: set[str] = set()  # files of the pages loaded so far
        self._run = Run(run_identity.here())
        self._journal = Journal(self._run, directory)
        self._stop = Stop(state)

    @property
    def plan(self) -> list[str]:
        """The pages of this run loaded so far, in order."""
        return self._run.plan

    @property
    def run_id(self) -> str:
        return self._run.identity.run

    @property
    def git(self) -> str:
        """The deployed commit, marked `-dirty` when files differ from it."""
        return self._run.identity.git + ("-dirty" if self._run.identity.dirty else "")

    def listen(self) -> None:
        self._stop.listen()

    def enter(self, page_id: str, note: Mapping[str, Any] | None) -> None:
        """At load, in order: adds the page to the plan. `note`, such as the owner's unlock, is recorded too."""
        self._acknowledged()
        self.plan.append(page_id)
        if note:
            self._run.notes[page_id] = note

    def note(self, page_id: str, note: Mapping[str, Any]) -> None:
        """At load: adds a note on the page to the record."""
        self._run.notes[page_id] = {**self._run.notes.get(page_id, {}), **note}

    def note_backup(self, path: str, restore: str) -> None:
        self._run.backups.append({"path": path, "restore": restore})

    def note_sum(self, path: str) -> None:
        """At load: the record of this run gets the sha256 that a file of the host has at its end."""
        self._run.sums.append(path)

    def data(self, key: str) -> str | None:
        """A `--data` value. Raises Refused if pyinfra turned it into a number, a list or a boolean."""
        value = host.data.get(key)
        if value is None or isinstance(value, str):
            return value
        raise Refused(f"--data {key}", f"{value!r} is not text", "give text, such as a tag instead of a number")

    def start_operation(self, state: State, host: Host, op_hash: str) -> None:
        """The first one takes the lock and opens the record. Raises Refused, and then nothing runs."""
        if not self._journal.is_open:
            if given := settings.overridden(host):
                self._run.notes["--data"] = given
            self._journal.open(host, self._acknowledged())
        self._run.stats.start(run_stats.title(state, op_hash, self.plan))

    def stop_operation(self, *, succeeded: bool) -> None:
        self._run.stats.stop(succeeded=succeeded)

    def finish(self, state: State, host: Host) -> None:
        """Called however the run ended, even if it never began."""
        self._stop.closing = True
        # Asked to stop, pyinfra disconnects while a step still runs; the lock must outlive the step.
        gevent.joinall([other for other in state.pool.greenlets if other is not gevent.getcurrent()])
        if self._journal.is_open:
            figures = run_stats.figures(state, host, self.plan, self._run.stats)
            self._journal.close(host, self._result(state, host), figures)

    def _acknowledged(self) -> str | None:
        run = self.data("acknowledge")
        if run is not None and not lock.RUN_ID.fullmatch(run):
            raise Refused(
                "--data acknowledge", f"{run!r} is not a run id", "copy it from the refusal or the record"
            )
        return run

    def _result(self, state: State, host: Host) -> str:
        if self._stop.heard:
            return "INTERRUPTED"
        whole = state.current_stage is StateStage.Disconnect and not state.results[host].error_ops
        return "OK" if whole else "FAILED"


class _Callbacks(BaseStateCallback):
    """pyinfra's hooks: each gets the state of a run, which leads to its session."""

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
    """The run's session; the first call registers pyinfra's callbacks and the signal handlers.

    Raises Refused for several hosts at once, and for flags that could hide a failure.
    """
    state = host.state
    if state in _SESSIONS:
        return _SESSIONS[state]
    if len(state.activated_hosts) > 1:
        names = ", ".join(sorted(each.name for each in state.activated_hosts))
        raise Refused("inventory", f"a run takes one host, not {names}", "choose one with --limit")
    for flag, why in _FLAGS.items():
        if flag in sys.argv:
            raise Refused(flag, why, "leave it out")
    if unknown := sorted(key for key in host.inventory.override_data if not _is_known(key)):
        known = ", ".join(sorted(services.data_words()))
        raise Refused(f"--data {unknown[0]}", "no page reads it", f"correct its name: {known}")
    session = _SESSIONS[state] = Session(state, DIRECTORY)
    state.callback_handlers.append(_Callbacks())
    session.listen()
    wire.prepare(host)
    questions.ask_once(host)
    # pyinfra prints a refusal as one line; gevent would add its traceback.
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, PyinfraError)
    return session


def _is_known(key: str) -> bool:
    """A setting, a word for a page, or one of pyinfra's own, such as ssh_user and _sudo.

    pyinfra ignores a misspelt one without a word.
    """
    return key in services.data_words() | settings.names() or key.startswith(("ssh_", "_"))
