"""Plain systemd units: installed, loaded, enabled, running."""

from collections.abc import Generator, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.facts import Probe
from deploys.kit.shell import SPARE_SECONDS

if TYPE_CHECKING:
    from deploys.kit.run.page import Page


def done(page: "Page", unit: str, *, probe: str, seconds: int = 60, why: str = "false") -> None:
    """A one-shot unit has done its work, as `probe` shows; otherwise it runs again, whatever systemd remembers.

    `why` is the shell command that prints why it failed.
    """
    page.uses(f"done {unit}", probe)
    restart = f"systemctl restart {unit} || {{ {why}; exit 1; }}"
    _ensure(
        page=page,
        what=unit,
        probe=probe,
        commands=[restart],
        seconds=seconds,
        **page.op(f"{unit} is done", seconds + SPARE_SECONDS),
    )


def loaded(page: "Page", unit: str) -> None:
    """The current file of the unit is loaded."""
    show = "systemctl show -P"
    probe = f'[ "$({show} LoadState {unit})" = loaded ] && [ "$({show} NeedDaemonReload {unit})" = no ]'
    _ensure(
        page=page, what=unit, probe=probe, commands=["systemctl daemon-reload"], **page.op(f"{unit} is loaded", 90)
    )


def read(page: "Page", what: str, probe: str) -> None:
    """Systemd reads its files again unless `probe` finds `what` in force, such as a drop-in that was added."""
    page.uses(f"read {what}", probe)
    _ensure(page=page, what=what, probe=probe, commands=["systemctl daemon-reload"], **page.op(what, 90))


def enabled(page: "Page", unit: str) -> None:
    """The current file of the unit is loaded, and the boot starts it. Never for a Quadlet unit."""
    probe = f'[ "$(systemctl show -P NeedDaemonReload {unit})" = no ] && systemctl is-enabled --quiet {unit}'
    _ensure(
        page=page,
        what=unit,
        probe=probe,
        commands=["systemctl daemon-reload", f"systemctl enable {unit}"],
        **page.op(f"{unit} at boot", 30),
    )


def user(page: "Page", user: str) -> None:
    """The system user of /etc/sysusers.d/<user>.conf exists."""
    made = f"systemd-sysusers /etc/sysusers.d/{user}.conf"
    _ensure(page=page, what=user, probe=f"getent passwd {user}", commands=[made], **page.op(f"user {user}", 30))


def running(page: "Page", unit: str, *, reads: str = "") -> None:
    """The unit is active; started if it is not, restarted if a path that it `reads` at its start is newer."""
    probe = f"systemctl is-active --quiet {unit}"
    if reads:
        since = f"systemctl show --timestamp=us -P ActiveEnterTimestamp {unit}"
        probe += f' && [ -z "$(find {reads} -newerct "$({since})")" ]'
    start = f"systemctl {'restart' if reads else 'start'} {unit}"
    _ensure(page=page, what=unit, probe=probe, commands=[start], **page.op(f"{unit} runs", 90))


@operation()
def _ensure(
    page: "Page", what: str, probe: str, commands: Sequence[str], seconds: int = 60
) -> Generator[StringCommand]:
    if host.get_fact(Probe, probe).green:
        host.noop(f"{page.id}: {probe}")
        return
    page.may_change(what)
    for command in commands:
        yield StringCommand(f"timeout {seconds} sh -c {quote(command)}")
