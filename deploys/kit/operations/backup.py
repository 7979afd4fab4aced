"""Backup first: files about to change are copied, and the command that restores them is printed and recorded."""

from collections.abc import Generator, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostFile

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

DIRECTORY: Final = "/srv/motorcade/backups"


def files(page: "Page", wanted: Sequence[HostFile], *, restart: str = "") -> None:
    """Files that will be replaced go into one archive; `restart` is the unit that reads them."""
    _files(page=page, wanted=list(wanted), restart=restart, **page.op("backup of files", 60))


@operation()
def _files(page: "Page", wanted: list[HostFile], restart: str) -> Generator[StringCommand]:
    old = [file.path for file in hostfiles.changed(wanted)]
    if not old:
        host.noop(f"{page.id}: no file to back up")
        return
    page.may_change(", ".join(old))
    directory = f"{DIRECTORY}/{page.run.run_id}"
    archive = f"{directory}/{page.id}.tar.gz"
    paths = " ".join(quote(path.lstrip("/")) for path in old)
    restore = f"sudo tar -xzpf {archive} -C / && sudo systemctl daemon-reload"
    if restart:
        # try-restart would skip a service that the change has broken; one that was never started stays stopped.
        restore += (
            f' && {{ [ "$(systemctl show -P ActiveState {restart})" = inactive ] ||'
            f" {{ sudo systemctl reset-failed {restart}; sudo systemctl restart {restart}; }}; }}"
        )
    yield StringCommand(
        f"mkdir -p -m 0700 {DIRECTORY} {directory} && tar -czpf {archive}.new -C / {paths} && sync {archive}.new"
        f" && mv -fT {archive}.new {archive} && echo {quote('to go back: ' + restore)}"
    )
    page.run.note_backup(archive, restore)
