"""Files and directories of a host: rendered at load, compared in one fact, and replaced whole if they differ.

A file that a page wrote, and that differs from the current one only in comments, is not replaced.
Not for secrets: contents pass through the operator's memory and a staging folder on the host.
"""

import base64
import io
import tarfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING, Final, NamedTuple

import jinja2
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from typing_extensions import override

import deploys.kit
from deploys.kit import prose
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.run.steps import Steps
from deploys.kit.shell import SPARE_SECONDS, bounded

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

REPOSITORY: Final = Path(deploys.kit.__file__).resolve().parents[2]
STAGING: Final = "/var/lib/motorcade/staging"
HOST_SECONDS: Final = 60  # the host's own limit for a replacement
_LOOK: Final = (
    'if [ -d "$path" ]; then kind=directory; elif [ -L "$path" ]; then echo "link - - - - - $path"; continue;'
    ' elif [ -f "$path" ]; then kind=$(sha256sum < "$path" | cut -c 1-64); else continue; fi;'
    ' echo "$kind $(stat -L -c "%a %U %G %u %g" "$path") $path"'
)


@dataclass(frozen=True)
class HostFile:
    """One file as it must be; `owner` and `group` are names, or the numbers of a container's user."""

    path: str
    content: str
    mode: str = "644"
    owner: str = "root"
    group: str = "root"

    @property
    def meaning(self) -> str:
        """The content without comments."""
        return prose.without_comments(self.path, self.content)


@dataclass(frozen=True)
class HostDirectory:
    """One directory as it must be; its parents are declared before it."""

    path: str
    mode: str = "755"
    owner: str = "root"
    group: str = "root"


class Found(NamedTuple):
    """What is at a path; `kind` is a file's sha256, or `directory`, or `link`."""

    kind: str
    mode: str
    owner: str
    group: str
    uid: str
    gid: str

    def belongs(self, wanted: HostFile | HostDirectory) -> bool:
        """Whether mode, owner and group are as wanted."""
        return (
            self.mode == wanted.mode.lstrip("0")
            and wanted.owner in (self.owner, self.uid)
            and wanted.group in (self.group, self.gid)
        )


class HostFiles(FactBase[dict[str, Found]]):
    """What is at each path; missing ones are left out."""

    default = dict

    @override
    def command(self, paths: Sequence[str]) -> StringCommand:
        listed = " ".join(map(quote, paths))
        return StringCommand("sh -c", QuoteString(f"for path in {listed}; do {_LOOK}; done; true"))

    @override
    def process(self, output: list[str]) -> dict[str, Found]:
        rows = [line.split(" ", 6) for line in output]
        return {row[6]: Found(*row[:6]) for row in rows}


def template_file(template: str) -> str:
    """The path of `redis/redis.conf` in the repository; the kit's own templates are below `kit/`."""
    service, _, name = template.partition("/")
    return f"deploys/{'kit/operations' if service == 'kit' else f'services/{service}'}/templates/{name}"


def render(template: str, /, **values: object) -> str:
    """The rendered template `redis/redis.conf`, whose file has this name or ends with `.j2`.

    Raises Refused, at load rather than halfway through a run.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_template),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - configuration files, in which an escape would be wrong
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    where = template_file(template)
    try:
        return environment.select_template([template, f"{template}.j2"]).render(**values)
    except jinja2.UndefinedError as error:
        raise Refused(where, str(error), "pass the value to render(), or remove it from the template") from error
    except jinja2.TemplateSyntaxError as error:
        raise Refused(f"{where}:{error.lineno}", str(error), "correct the template") from error
    except jinja2.TemplatesNotFound as error:
        raise Refused(where, "no such template", "write it, or correct the name in the page") from error


def _read_template(template: str) -> tuple[str, str, Callable[[], bool]] | None:
    """Text, file, and a function that says it is up to date, as Jinja expects."""
    file = REPOSITORY / template_file(template)
    return (file.read_text(encoding="utf-8"), str(file), lambda: True) if file.is_file() else None


def place(page: "Page", files: Sequence[HostFile], title: str) -> None:
    """The files are on the host, each replaced by a rename; their directories must exist."""
    register(page, files)
    _place(page=page, files=list(files), **page.op(title, HOST_SECONDS + SPARE_SECONDS))


def lend(page: "Page", files: Sequence[HostFile], title: str) -> None:
    """The same for files that a later page owns but this one needs first."""
    for file in files:
        page.uses(f"file {file.path}", f"{file.mode} {file.owner} {file.group} {file.meaning}")
    _place(page=page, files=list(files), **page.op(title, HOST_SECONDS + SPARE_SECONDS))


def absent(page: "Page", path: str) -> None:
    """No file is at the path."""
    page.uses(f"absent {path}", path)
    _absent(page=page, path=path, **page.op(f"no {path}", HOST_SECONDS + SPARE_SECONDS))


def directories(page: "Page", wanted: Sequence[HostDirectory]) -> None:
    """The directories exist with mode and owner; their contents are never touched."""
    for directory in wanted:
        page.uses(f"directory {directory.path}", f"{directory.mode} {directory.owner} {directory.group}")
    _directories(page=page, wanted=list(wanted), **page.op("directories", HOST_SECONDS + SPARE_SECONDS))


def register(page: "Page", files: Sequence[HostFile]) -> None:
    """At load: the page owns these files, and they shape its result."""
    for file in files:
        page.uses(f"mode {file.path}", f"{file.mode} {file.owner} {file.group}")
        page.owns(file.path, file.content)


def changed(files: Sequence[HostFile]) -> list[HostFile]:
    """In a generator: files that exist on the host and differ."""
    found = _found(files)
    return [file for file in _unlike(files, found) if file.path in found]


def differing(files: Sequence[HostFile]) -> list[HostFile]:
    """In a generator: files that are missing or differ."""
    return _unlike(files, _found(files))


def archive(files: Sequence[HostFile]) -> str:
    """The files as a reproducible tar in base64, each under its own path."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for file in sorted(files, key=lambda file: file.path):
            content = file.content.encode()
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
    return base64.encodebytes(packed.getvalue()).decode()


def unpack(stage: str) -> str:
    """Shell: unpacks what `archive` made from standard input into a folder, which a killed run may have left."""
    return f"rm -rf {stage}; mkdir -p -m 0700 {stage}; base64 -d > {stage}.tar; tar -xf {stage}.tar -C {stage}"


def clean(stage: str, files: Sequence[HostFile]) -> str:
    """Shell: on exit, the stage and temporary files are removed, whatever happens."""
    return f"clean() {{ rm -rf {stage} {stage}.tar {_listed(_new(file) for file in files)}; }}; trap clean EXIT"


def replace(stage: str, files: Sequence[HostFile]) -> str:
    """Shell: all files are written beside their targets and synced before the first is moved into place."""
    install = [
        f"install -m {file.mode} -o {quote(file.owner)} -g {quote(file.group)}"
        f" {quote(stage + file.path)} {quote(_new(file))}"
        for file in files
    ]
    move = [f"mv -fT {quote(_new(file))} {quote(file.path)}" for file in files]
    folders = sorted({str(PurePosixPath(file.path).parent) for file in files})
    sync = f"sync {_listed(_new(file) for file in files)}"
    return "; ".join([*install, sync, *move, f"sync {_listed(folders)}"])


@operation()
def _place(page: "Page", files: list[HostFile]) -> Generator[StringCommand]:
    wanted = differing(files)
    if not wanted:
        host.noop(f"{page.id}: {len(files)} files are up to date")
        return
    page.may_change(", ".join(file.path for file in wanted))
    stage = f"{STAGING}/{page.id}/files"
    script = f"{clean(stage, wanted)}; {unpack(stage)}; {replace(stage, wanted)}"
    yield bounded(script, HOST_SECONDS, archive(wanted))


@operation()
def _absent(page: "Page", path: str) -> Generator[StringCommand]:
    if path not in host.get_fact(HostFiles, paths=[path]):
        host.noop(f"{page.id}: {path} is not there")
        return
    page.may_change(path)
    yield bounded(f"rm {quote(path)}; sync {quote(str(PurePosixPath(path).parent))}", HOST_SECONDS)


@operation()
def _directories(page: "Page", wanted: list[HostDirectory]) -> Generator[StringCommand]:
    found = host.get_fact(HostFiles, paths=[directory.path for directory in wanted])
    commands = [_make(directory, found.get(directory.path)) for directory in wanted]
    needed = [command for command in commands if command]
    if not needed:
        host.noop(f"{page.id}: {len(wanted)} directories are up to date")
        return
    page.may_change("directories")
    yield bounded("; ".join(needed), HOST_SECONDS)


def _make(wanted: HostDirectory, found: Found | None) -> str:
    """Shell that creates or corrects one directory; empty when there is nothing to do."""
    if found and found.kind == "directory" and found.belongs(wanted):
        return ""
    path = quote(wanted.path)
    make = "" if found and found.kind == "directory" else f"mkdir -m 0700 {path}; "
    return f"{make}chown {quote(f'{wanted.owner}:{wanted.group}')} {path}; chmod {wanted.mode} {path}"


def _found(files: Sequence[HostFile]) -> dict[str, Found]:
    return host.get_fact(HostFiles, paths=[file.path for file in files])


def _unlike(files: Sequence[HostFile], found: Mapping[str, Found]) -> list[HostFile]:
    """Files that are missing, or neither identical nor written by a page with the same meaning."""
    return [file for file in files if not (file.path in found and _is_right(file, found[file.path]))]


def _is_right(file: HostFile, found: Found) -> bool:
    if not found.belongs(file):
        return False
    return found.kind == digest(file.content) or any(
        step.left(file.path, found.kind, digest(file.meaning)) for step in host.get_fact(Steps).values()
    )


def _new(file: HostFile) -> str:
    return f"{file.path}.motorcade-new"


def _listed(paths: Iterable[str]) -> str:
    return " ".join(map(quote, paths))
