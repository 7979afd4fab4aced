"""The state of one host: pages passed, at which release and when, files changed since, and what is wrong now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyinfra.api.host import Host

from deploys.inspect import service_states
from deploys.inspect.unit_states import UnitStates
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.plan import pins, runbook, settings
from deploys.kit.plan.entry import Entry
from deploys.kit.run import lock, page_files, session
from deploys.kit.run.steps import DIRECTORY, Step, Steps

MAINTENANCE: Final = "/etc/motorcade/maintenance"


@dataclass(frozen=True)
class Line:
    """One page; `drift` names files that have changed since it passed, and a release that is behind."""

    page: str
    title: str
    state: str  # green, red, open
    release: str
    passed: str
    run: str
    drift: list[str]

    @property
    def good(self) -> bool:
        return self.state == "green" and not self.drift


@dataclass(frozen=True)
class Status:
    """One host: every ready page, and every other problem in a sentence."""

    host: str
    unseen: str  # that it did not answer, and then nothing else is known; empty when it did
    lock: str  # who is deploying to it; empty when the lock is free
    manifest: str  # why the manifest cannot be used; empty when it can
    maintenance: str  # since when; empty when there is none
    services: dict[str, list[str]]  # what is wrong with each service that says so itself
    news: list[str]  # what people want to know although nothing is wrong, such as the last drill
    units: list[str]  # those that failed, or do not run although they are enabled at boot
    pages: list[Line]

    @property
    def troubles(self) -> list[str]:
        return [
            trouble
            for trouble in (
                *(self.unseen, self.lock, self.manifest, self.maintenance),
                *(trouble for troubles in self.services.values() for trouble in troubles),
                *self.units,
            )
            if trouble
        ]

    @property
    def good(self) -> bool:
        return not self.troubles and all(page.good for page in self.pages)


def look(host: Host) -> Status:
    """Every page that is ready and belongs to the host's groups, in the order of the runbook."""
    release, unusable = known_release(host)
    steps = host.get_fact(Steps)
    found = page_files.sums(host, [path for step in steps.values() for path in step.files])
    name = release.name if release else ""
    pages = [line(entry, steps.get(entry.id), name, found) for entry in runbook.ready(host.groups)]
    units = [unit.trouble for unit in host.get_fact(UnitStates) if unit.trouble]
    said = service_states.troubles(host, known_settings(host), release)
    news = service_states.news(host)
    return Status(host.name, "", holder(host), unusable, maintenance(host), said, news, units, pages)


def unreachable(name: str) -> Status:
    """Of a host that did not answer, or stopped answering."""
    return Status(name, f"{name}: does not answer; ssh {name} may say why", "", "", "", {}, [], [], [])


def known_release(host: Host) -> tuple[pins.Release | None, str]:
    """The manifest, or why it cannot be used; the host is reported either way."""
    try:
        return pins.load(settings.read(host).release_file), ""
    except Refused as refused:
        return None, str(refused)


def known_settings(host: Host) -> settings.Settings | None:
    """None where they cannot be read; why is reported with the manifest that they name."""
    try:
        return settings.read(host)
    except Refused:
        return None


def line(entry: Entry, step: Step | None, release: str, found: Mapping[str, str]) -> Line:
    """`found` holds the files on the host: path -> sha256."""
    if step is None:
        return Line(entry.id, entry.title, "open", "", "", "", [])
    behind = release and step.passed and step.release != release
    drifted = [f"release is {step.release}, the manifest's is {release}"] if behind else []
    drifted += page_files.of(step, found)
    if step.unreadable:
        drifted.append(f"its record {DIRECTORY}/{entry.id}.json cannot be read; run {entry.file}")
    state = "green" if step.green else "red"
    return Line(entry.id, entry.title, state, step.release, step.passed, step.red or step.run, drifted)


def holder(host: Host) -> str:
    """Who holds the lock, as the refusal says it; empty when it is free."""
    written = host.get_fact(Probe, f"cat {session.DIRECTORY}/lock/*.json").lines
    found = lock.read_attempt(written).holder
    return str(lock.refusal(host.name, found)) if found else ""


def maintenance(host: Host) -> str:
    """Since when the host has been in maintenance, and how to end it; empty when it is not."""
    answer = host.get_fact(Probe, f"date --utc +%FT%TZ --reference={MAINTENANCE}")
    if not answer.green:
        return ""
    return (
        f"{host.name}: maintenance has been on since {answer.lines[0]};"
        " deploys/maintenance.py --data state=off ends it"
    )
