"""What every page would change now, as pyinfra's --dry reports it; a page that fails does not stop the others."""

import runpy
from collections.abc import Iterator, Mapping, Sequence

from pyinfra.api.exceptions import OperationError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage

from deploys.inspect.finding import Finding
from deploys.kit.plan import runbook
from deploys.kit.plan.entry import Entry
from deploys.kit.run import page, run_stats, session
from deploys.kit.run.steps import DIRECTORY, Step

_RECORD = "on record"
_BACKUP = "backup of "  # the copy before a change is not a difference of its own


def look(host: Host, steps: Mapping[str, Step]) -> tuple[list[Finding], list[str], set[str]]:
    """Pages that would change something, why others could not be asked, and the files that the asked pages own.

    Needs the host as `ctx_host`. Raises PyinfraError if the host stops answering.
    """
    # Operations are asked after their page was loaded: their answers depend on all of it.
    host.state.set_stage(StateStage.Prepare)
    host.state.check_for_changes = False
    found, unseen = [], []
    with page.included():
        for entry in runbook.ready(host.groups):
            known = set(host.state.ops[host])
            try:
                runpy.run_path(entry.file)
            except PyinfraError as error:
                if host in host.state.failed_hosts:
                    raise
                unseen.append(str(error))
            else:
                new = [op_hash for op_hash in host.state.ops[host] if op_hash not in known]
                found += judge(entry, steps.get(entry.id), list(_changes(host, new)))
    return found, unseen, session.current().owned


def judge(entry: Entry, step: Step | None, changes: Sequence[str]) -> list[Finding]:
    """`changes` are the operations of the page that would change something, in order."""
    real = [change for change in changes if change != _RECORD and not change.startswith(_BACKUP)]
    if step and step.unreadable:
        what = f"has an unreadable record on this host, {DIRECTORY}/{entry.id}.json"
    elif step is None or not step.passed:
        what = "has not passed on this host"
    elif step.red:
        what = f"has been red since {step.red}"
    elif real:
        what = f"would change: {', '.join(real)}"
    elif changes:
        what = f"has changed since it last passed ({step.passed}, {step.release}, {step.git})"
    else:
        return []
    return [Finding("page", entry.id, what, remedy(entry))]


def remedy(entry: Entry) -> str:
    """What to run; a locked or frozen page needs the owner's permission."""
    closed = entry.locked or entry.frozen
    return f"{entry.file} --data unlock={entry.id} --data reason='…'" if closed else entry.file


def _changes(host: Host, operations: Sequence[str]) -> Iterator[str]:
    """Titles of operations that have a command to run, with the difference that each found, if given."""
    run = session.current()
    for op_hash in operations:
        _, _, title = run_stats.title(host.state, op_hash, run.plan).partition(" | ")
        try:
            if not any(True for _ in host.state.ops[host][op_hash].command_generator()):
                continue
            why = run.differences.get(op_hash, "")
        except OperationError as error:
            # A locked page stops where it would need to change something.
            why = run.differences.get(op_hash) or str(error)
        yield title if why in title else f"{title} ({why})"
