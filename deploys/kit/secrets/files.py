"""Secrets for programs of the host itself: a file of their settings, from age files through standard input."""

from collections.abc import Generator
from pathlib import PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.secrets.delivery import Hidden, require, reveal

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

_SECONDS: Final = 60
_END: Final = "# end"


def place(page: "Page", path: str, group: str, template: str, **secret_of: str) -> None:
    """`path` is the template with the values of these secrets, readable by root and the group. Raises Refused."""
    require(page.settings, list(secret_of.values()))
    values = {word: reveal(page.settings, name) for word, name in secret_of.items()}
    content = f"{render(template, page=page.id, **values)}{_END}\n"
    # Only digests of the content are kept; for values that cannot be guessed they reveal nothing.
    file = HostFile(path, content, "440", "root", group)
    hostfiles.register(page, [file])
    _place(page=page, file=_Kept(file), **page.op(f"secrets in {path}", _SECONDS))


class _Kept:
    """A file whose content no repr or JSON shows."""

    def __init__(self, file: HostFile) -> None:
        self.file = file


@operation()
def _place(page: "Page", file: _Kept) -> Generator[StringCommand]:
    wanted = file.file
    if not hostfiles.differing([wanted]):
        host.noop(f"{page.id}: {wanted.path} is up to date")
        return
    page.may_change(wanted.path)
    new = quote(f"{wanted.path}.motorcade-new")
    # The last line proves that everything arrived.
    script = (
        f"umask 077; cat > {new}; [ \"$(tail -n 1 {new})\" = '{_END}' ] || {{ rm -f {new};"
        f" echo '{wanted.path}: cut off in transit; run the page again' >&2; exit 1; }};"
        f" chown {wanted.owner}:{wanted.group} {new} && chmod {wanted.mode} {new} && sync {new}"
        f" && mv -fT {new} {quote(wanted.path)} && sync {quote(str(PurePosixPath(wanted.path).parent))}"
    )
    yield StringCommand("sh -c", QuoteString(script), _stdin=Hidden(wanted.content.removesuffix("\n")))
