"""What every page would change now, as pyinfra's --dry tells it; one that stops keeps none from being asked."""

import runpy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyinfra.api.exceptions import OperationError, PyinfraError
from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage

from deploys.inspect.finding import Finding
from deploys.kit.plan import runbook
from deploys.kit.plan.entry import Entry
from deploys.kit.run import page, run_stats, session
from deploys.kit.run.steps import Step

_RECORD = "on record"
_BACKUP = "backup of "  # what a page would copy before a change is no difference of its own


def look(host: Host, steps: Mapping[str, Step]) -> tuple[list[Finding], list[str]]:
    """Pages that have something to do, and why others could not be asked; needs the host as `ctx_host`.

    Raises PyinfraError where the host stops answering.
    """
    # Operations are asked after their page was loaded: what they answer depends on the whole of it.
    host.state.set_stage(StateStage.Prepare)
    host.state.check_for_changes = False
    found, unseen = [], []
    with _asked_once(host), page.included():
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
    return found, unseen


def judge(entry: Entry, step: Step | None, changes: Sequence[str]) -> list[Finding]:
    """`changes` are the operations of the page that would change something, in order."""
    real = [change for change in changes if change != _RECORD and not change.startswith(_BACKUP)]
    if step is None or not step.passed:
        what = "has not passed on this host"
    elif step.red:
        what = f"is red since {step.red}"
    elif real:
        what = f"would change: {', '.join(real)}"
    elif changes:
        what = f"says something else now than when it passed ({step.passed}, {step.release}, {step.git})"
    else:
        return []
    return [Finding("page", entry.id, what, remedy(entry))]


def remedy(entry: Entry) -> str:
    """What to run; the owner's word is needed where the page is closed."""
    closed = entry.locked or entry.frozen
    return f"{entry.file} --data unlock={entry.id} --data reason='…'" if closed else entry.file


@contextmanager
def _asked_once(host: Host) -> Iterator[None]:
    """Nothing changes meanwhile, so what several pages want to know is asked once: half of all questions."""
    answers: dict[str, Any] = {}
    ask = host.get_fact

    def remembered(fact: type[FactBase[Any]], *words: object, **named: object) -> object:
        question = f"{fact} {words} {named}"
        if question not in answers:
            answers[question] = ask(fact, *words, **named)
        return answers[question]

    host.get_fact = remembered  # type: ignore[assignment, method-assign] # for this host alone, and given back below
    try:
        yield
    finally:
        del host.get_fact


def _changes(host: Host, operations: Sequence[str]) -> Iterator[str]:
    """Titles of those that have a command to run, and what each found different where it says so."""
    run = session.current()
    for op_hash in operations:
        _, _, title = run_stats.title(host.state, op_hash, run.plan).partition(" | ")
        try:
            if not any(True for _ in host.state.ops[host][op_hash].command_generator()):
                continue
            why = run.differences.get(op_hash, "")
        except OperationError as error:
            # A locked page stops where it would have to change something.
            why = run.differences.get(op_hash) or str(error)
        yield title if why in title else f"{title} ({why})"
