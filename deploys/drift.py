"""Differences between a host and its pages, manifest and settings. Read-only.

Run from the repository root: `python -m deploys.drift inventories/prod.py`, with `--json` for programs. It asks
every ready page what it would change, and the host for what no page made and for what expires soon.
Exits with 0 when nothing differs, with 1 when something does, with 2 when a part could not be inspected.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import click
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.inspect import clock, connection, disk, dry_run, patches, service_states, unmanaged
from deploys.inspect.finding import DIFFERENT, SAME, UNSEEN, Drift, Finding
from deploys.inspect.unit_states import UnitStates
from deploys.kit.facts import Probe
from deploys.kit.plan import runbook, settings
from deploys.kit.run import lock, page_files, session
from deploys.kit.run.steps import Step, Steps


def look(host: Host) -> Drift:
    """Every difference, each thing before the page that would change it."""
    began = time.monotonic()
    findings: list[Finding] = []
    unseen: list[str] = []
    try:
        if unseen := being_deployed(host):
            return Drift(host.name, findings, unseen, 0.0)
        read = settings.read(host)
        found = host.get_fact(Steps)
        steps = {page: step for page, step in found.items() if runbook.has(page)}
        asked, unseen, owned = dry_run.look(host, steps)
        findings += edited(host, steps)
        owned |= {path for step in steps.values() for path in step.files}
        unknown = next(unmanaged.unknown(runbook.ready(host.groups), steps), "")
        findings += unmanaged.look(host, read, owned, unknown)
        findings += unwell(host, read, {finding.where for finding in findings})
        findings += [*disk.look(host, read.disk_percent_max), *clock.look(host)]
        findings += patches.look(host, read)
        findings += [*asked, *unmanaged.retired(found.keys() - steps.keys())]
    except PyinfraError as error:
        # pyinfra's own error for an unanswered fact is `No hosts remaining!`.
        lost = host in host.state.failed_hosts
        unseen.append(f"{host.name}: stopped answering; run drift again" if lost else str(error))
    return Drift(host.name, findings, unseen, round(time.monotonic() - began, 1))


def being_deployed(host: Host) -> list[str]:
    """A run in progress changes what drift inspects, so drift does not start."""
    holder = lock.read_attempt(host.get_fact(Probe, f"cat {session.DIRECTORY}/lock/*.json").lines).holder
    return [str(lock.refusal(host.name, holder))] if holder else []


def edited(host: Host, steps: Mapping[str, Step]) -> Iterator[Finding]:
    """Files that have changed since their page wrote them."""
    found = page_files.sums(host, [path for step in steps.values() for path in step.files])
    for step in steps.values():
        for sentence in page_files.of(step, found):
            path, _, what = sentence.partition(" ")
            yield Finding("file", path, what, dry_run.remedy(runbook.find(step.page)))


def unwell(host: Host, read: settings.Settings, named: set[str]) -> Iterator[Finding]:
    """Units, and what services say of themselves, but for what is `named` already."""
    troubles = [("unit", unit.trouble) for unit in host.get_fact(UnitStates) if unit.trouble]
    troubles += service_states.differences(host, read)
    found = (Finding.read(kind, trouble) for kind, trouble in troubles)
    yield from (finding for finding in found if finding.where not in named)


@click.command("drift")
@click.argument("inventory", type=click.Path(exists=True, dir_okay=False))
@click.option("--limit", help="One host of the inventory.")
@click.option(
    "--data", multiple=True, metavar="SETTING=VALUE", help="A setting for this run; overrides group_data."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(inventory: str, limit: str | None, data: Sequence[str], *, as_json: bool) -> None:
    """Print how a host differs from its pages; exit 1 for a difference, 2 if part could not be inspected."""
    try:
        names = [limit] if limit else connection.named(inventory)
        found = [of_host(inventory, name, data) for name in names]
    except PyinfraError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps([asdict(host) for host in found], indent=2, ensure_ascii=False))
    else:
        show(found)
    sys.exit(max((host.code for host in found), default=UNSEEN))


def of_host(inventory: str, name: str, data: Sequence[str]) -> Drift:
    """One host at a time, as pages run; an unreachable one does not stop the others."""
    try:
        with connection.connected(inventory, name, data) as (host,), ctx_host.use(host):
            return look(host)
    except PyinfraError as error:
        return Drift(name, [], [str(error)], 0.0)


def show(found: Sequence[Drift]) -> None:
    """For people: each difference by its kind, and below it the remedy, ready to copy."""
    kinds = [finding.kind for host in found for finding in host.findings]
    width = max(map(len, kinds), default=0)
    for host in found:
        verdict = {
            SAME: "matches its pages",
            DIFFERENT: "differs from its pages",
            UNSEEN: "could not be fully inspected",
        }
        click.secho(f"{host.host} {verdict[host.code]} ({host.seconds} seconds)", bold=True)
        for finding in host.findings:
            click.echo(f"  {finding.kind:{width}}  {finding.where}: {finding.what}")
            click.secho(f"  {'':{width}}  {finding.remedy}", fg="green")
        for sentence in host.unseen:
            click.secho(f"  not inspected: {sentence}", fg="red")


if __name__ == "__main__":
    command()
