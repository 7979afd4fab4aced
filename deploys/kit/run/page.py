"""A runbook page while it loads and runs: what it may do, what shapes its result, and what it leaves."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.operation import operation
from pyinfra.context import ctx_host, host

from deploys.kit import prose
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.plan import pins, runbook, settings
from deploys.kit.plan.entry import Entry, members
from deploys.kit.run import page_files, session
from deploys.kit.run.steps import Step, Steps, write_command

_INCLUDED: Final[ContextVar[bool]] = ContextVar("included", default=False)


@dataclass
class Page:
    """One page on one host; the kit's verbs take it first.

    `read_only` marks a locked or frozen page that was not unlocked: it verifies, and fails if it needs a change.
    """

    entry: Entry
    settings: settings.Settings
    release: pins.Release
    run: session.Session
    read_only: bool
    verify_again: bool
    _uses: dict[str, str] = field(default_factory=dict)
    _owns: dict[str, str] = field(default_factory=dict)
    _meanings: dict[str, str] = field(default_factory=dict)
    _step: Step | None = None

    @property
    def id(self) -> str:
        return self.entry.id

    def uses(self, label: str, content: str | bytes) -> None:
        """At load: adds what shapes the result to the hash that detects changes."""
        self._uses[label] = digest(content)

    def owns(self, path: str, content: str) -> None:
        """At load: this host file belongs to this page alone."""
        meaning = prose.without_comments(path, content)
        self.uses(f"file {path}", meaning)
        self._owns[path], self._meanings[path] = digest(content), digest(meaning)
        self.run.owned.add(path)

    def op(self, title: str, seconds: int) -> dict[str, Any]:
        """The global arguments of an operation: its name on screen and in the record, and its timeout."""
        return {"name": f"{self.id} | {title}", "_timeout": seconds}

    def may_change(self, what: str) -> None:
        """Call before the first command of a change. Raises OperationError if the page is read-only."""
        self.run.differences[str(host.current_op_hash)] = what
        if self.read_only:
            raise OperationError(
                f"{self.id}: {what} differs from the page, and the page is locked; find out who changed it, "
                f"then run it with --data unlock={self.id} --data reason='…'"
            )

    def step(self) -> Step:
        """What the host will record of this page when it passes."""
        joined = "".join(f"{label}={value}\n" for label, value in sorted(self._uses.items()))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Step(
            self.id,
            self.release.name,
            digest(joined),
            now,
            self.run.run_id,
            self.run.git,
            dict(self._owns),
            dict(self._meanings),
        )

    def settled(self) -> bool:
        """At execution: the host passed this configuration before, so active checks need not run again."""
        known = self._step is not None and self._step.green and self._step.equals(self.step())
        return known and not self.verify_again

    def remember(self, step: Step | None) -> None:
        """What the host had recorded of this page when the run began."""
        self._step = step


def begin(page_id: str) -> Page:
    """Start a page, or refuse before anything changes.

    Raises Refused for no host (the page was given as an inventory), a host in none of the page's groups, several
    hosts, an unpinned or invalid manifest, a prerequisite neither passed on the host nor earlier in this command,
    and a locked or frozen page that the owner has not unlocked.
    """
    entry = runbook.find(page_id)
    if not ctx_host.isset():  # type: ignore[no-untyped-call]  # pyinfra's own
        raise Refused(
            entry.file,
            "is a page, not an inventory",
            f"name the inventory first: inventories/prod.py {entry.file}",
        )
    _refuse_elsewhere(entry)
    read = settings.read(host)
    release = pins.load(read.release_file)
    if release.environment != read.environment:
        where = f"{read.release_file}: release"
        raise Refused(
            where, f"{release.name} is not a release of {read.environment}", "use the environment's own manifest"
        )
    run = session.current()
    unlocked = _unlocked(entry, run)
    page = Page(entry, read, release, run, _read_only(entry, unlocked=unlocked), _verify_again(run))
    _refuse_early(entry, run.plan)
    run.enter(page.id, {"unlock": entry.id, "reason": run.data("reason")} if unlocked else None)
    page.uses("page", prose.code(Path(entry.file).read_text(encoding="utf-8")))
    _still_permitted(page=page, **page.op("preconditions", 30))
    return page


@contextmanager
def included() -> Iterator[None]:
    """Pages loaded inside were not named on the command line; a locked one only verifies."""
    token = _INCLUDED.set(True)
    try:
        yield
    finally:
        _INCLUDED.reset(token)


def _refuse_elsewhere(entry: Entry) -> None:
    if not entry.runs_on(host.groups):
        raise Refused(
            f"{host.name}: {entry.id}",
            f"it runs on hosts of {', '.join(entry.groups)}, and this one is in {', '.join(members(host.groups))}",
            "choose one of those with --limit, or add this host to the group in the inventory",
        )


def passed(page: Page) -> None:
    """The page's last operation: all before it were green, so the host records that it passed."""
    _passed(page=page, **page.op("on record", 30))


def _unlocked(entry: Entry, run: session.Session) -> bool:
    if run.data("unlock") != entry.id:
        return False
    if not (run.data("reason") or "").strip():
        raise Refused(entry.id, "an unlock needs a reason", "add --data reason='why the owner allows it'")
    return True


def _verify_again(run: session.Session) -> bool:
    if (asked := run.data("verify")) not in (None, "again"):
        raise Refused("--data verify", f"{asked!r} is not a known value", "use `again`, or leave it out")
    return asked == "again"


def _read_only(entry: Entry, *, unlocked: bool) -> bool:
    """Whether the page is read-only. Raises Refused if it was named on the command line."""
    closed = entry.frozen or entry.locked
    step = host.get_fact(Steps).get(entry.id)
    if not closed or unlocked or step is None or not step.passed:
        return False
    if not _INCLUDED.get() and "--dry" not in sys.argv:
        state = "frozen" if entry.frozen else "locked since it passed"
        raise Refused(
            entry.id,
            f"the page is {state}",
            f"with the owner's permission: --data unlock={entry.id} --data reason='…'",
        )
    return True


def _missing(entry: Entry, steps: dict[str, Step], plan: list[str]) -> Iterator[tuple[Entry, str]]:
    """Each prerequisite that is neither green on the host nor earlier in the plan, and why."""
    for needed in runbook.prerequisites(entry, host.groups):
        step = steps.get(needed.id)
        if needed.id in plan or (step and step.green):
            continue
        yield needed, f"has been red since {step.red}" if step and step.red else "has not passed on this host"


def _refuse_early(entry: Entry, plan: list[str]) -> None:
    for needed, why in _missing(entry, host.get_fact(Steps), plan):
        raise Refused(entry.id, f"{needed.id} {why}", f"run {needed.file} first")


@operation()
def _still_permitted(page: Page) -> Generator[str]:
    """At load, the plan was enough; by now the earlier pages must have passed."""
    steps = host.get_fact(Steps)
    page.remember(steps.get(page.id))
    executing = host.state is not None and host.state.is_executing
    for needed, why in _missing(page.entry, steps, [] if executing else page.run.plan):
        raise OperationError(f"{page.id}: {needed.id} {why}; run {needed.file} first")
    host.noop(f"{page.id} may run")
    yield from ()


@operation()
def _passed(page: Page) -> Generator[StringCommand]:
    found = host.get_fact(Steps).get(page.id)
    wanted = page.step() if found is None else _as_on_host(page.step(), found)
    if found and found.green and found.equals(wanted) and _files(found) == _files(wanted):
        host.noop(f"{page.id} has been on record since {found.passed}")
    else:
        yield write_command(wanted)


def _as_on_host(wanted: Step, found: Step) -> Step:
    """`wanted`, with the older content of files that were kept because only their comments changed."""
    older = {
        path: found.files[path]
        for path, content in wanted.files.items()
        if found.files.get(path) not in (None, content)
        if found.left(path, found.files[path], wanted.meanings[path])
    }
    on_host = page_files.sums(host, older)
    kept = {path: content for path, content in older.items() if on_host.get(path) == content}
    return replace(wanted, files={**wanted.files, **kept})


def _files(step: Step) -> tuple[dict[str, str], dict[str, str]]:
    return dict(step.files), dict(step.meanings)
