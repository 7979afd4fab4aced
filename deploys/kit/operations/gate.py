"""Verification that asks the service itself, within a time limit.

A gate that turns green after a wait has changed nothing: it only gave a service time to start.
"""

from collections.abc import Generator
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit import prose
from deploys.kit.facts import Probe
from deploys.kit.shell import SPARE_SECONDS

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

PROBE_SECONDS: Final = 10  # for one probe; a service that needs longer is not healthy
LOG_LINES: Final = 30


def wait(page: "Page", title: str, probe: str, *, seconds: int = 10, service: str = "") -> None:
    """Green when the command `probe` succeeds within `seconds`; red with the last lines of the log."""
    page.uses(f"gate {title}", prose.without_heading(probe))
    _wait(
        page=page,
        probe=probe,
        seconds=seconds,
        service=service,
        **page.op(f"gate: {title}", seconds + SPARE_SECONDS),
    )


def once(page: "Page", title: str, command: str, *, seconds: int) -> None:
    """Runs an active check, unless this configuration has already passed it (`verify=again` repeats it)."""
    page.uses(f"check {title}", prose.without_heading(command))
    _once(page=page, command=command, seconds=seconds, **page.op(f"check: {title}", seconds + SPARE_SECONDS))


def last_lines(service: str) -> str:
    """The shell command that shows how a service's container ended; empty without a service."""
    log = f"/var/log/motorcade/{service}/container.log"
    return f"echo 'last lines of {log}:'; tail -n {LOG_LINES} {log}; " if service else ""


@operation()
def _wait(page: "Page", probe: str, seconds: int, service: str) -> Generator[StringCommand]:
    if host.get_fact(Probe, probe, PROBE_SECONDS).green:
        host.noop(f"{page.id}: green")
        return
    look = f"timeout {PROBE_SECONDS} sh -c {quote(probe)}"
    until = (
        f"end=$(($(date +%s) + {seconds})); until {look} >/dev/null 2>&1; do"
        f' [ "$(date +%s)" -lt "$end" ] || exit 1; sleep 0.3; done'
    )
    # Not while pyinfra only plans: what an earlier page has yet to start cannot become green.
    if host.state.is_executing and host.get_fact(Probe, until, seconds + 2 * PROBE_SECONDS).green:
        host.noop(f"{page.id}: green after a wait")
        return
    red = f"echo 'not green within {seconds} seconds'; {last_lines(service)}exit 1"
    yield StringCommand(f"{look} || {{ {red}; }}")


@operation()
def _once(page: "Page", command: str, seconds: int) -> Generator[StringCommand]:
    if page.settled():
        host.noop(f"{page.id}: already passed with this configuration")
        return
    yield StringCommand(f"timeout {seconds} sh -c {quote(command)}")
