"""Hosts with pages on them, made once and copied: whoever needs a deployed host starts where its pages have ended.

A template is made from a bare host by the pages themselves, whenever anything that shapes it is another one, so no
page that fails from zero can hide behind it, and nothing stale is ever copied.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab import archives, volume
from tests.lab.command import until
from tests.lab.deploying import FOUNDATION, deployed
from tests.lab.errors import LabError
from tests.lab.folders import HERE, LAB, PROJECT, lock, lockable
from tests.lab.host import Host, Kept, claim
from tests.lab.load import post
from tests.lab.volume import DISKS

# Whatever a deployed host depends on, by its content. The modules of the lab are added below, its tests are not.
SHAPES: Final = (
    *("deploys", "containers", "releases", "group_data", "inventories", "requirements", "leadgen"),
    *("config.py", "pyproject.toml"),
)
SERVES_SECONDS: Final = 120
TEMPLATES: Final = LAB / "templates"


@dataclass(frozen=True)
class Template:
    """What is on it: first what is on its parent, then what these runs of pyinfra bring, one after the other."""

    parent: str
    runs: tuple[tuple[str, ...], ...]
    serves: bool = False  # with a store for its backups, and an edge that takes leads


BUILT: Final = ("plat_01", "plat_02a", "plat_02b")
# Page by page up to `foundation`, and `platform` in one command from bare, as `make lab` promises it: so the first
# pages run twice in a run of all tests, in the two ways that people run them.
TABLE: Final = {
    "network": Template("bare", (("plat_01",), ("plat_02a",))),
    "image": Template("network", (("plat_02b",),)),
    "foundation": Template("image", tuple((page,) for page in FOUNDATION if page not in BUILT)),
    "platform": Template("bare", (("platform",),), serves=True),
}


def up(host: Host, name: str) -> dict[str, float]:
    """Bring the host up as a copy, unless it is there; what took how long, where the template had to be made."""
    host.take()
    if name == "bare" or host.is_made:
        host.up()
        return {}
    with _held(name) as (kept, times):
        host.up(kept)
    if TABLE[name].serves and not until(lambda: post(host).status == 202, SERVES_SECONDS):
        raise LabError(host.name, f"no 202 within {SERVES_SECONDS} s of its boot", "look at `deploys/status.py`")
    return times


def key(folder: Path = PROJECT) -> str:
    """Another one as soon as anything differs that shapes a host."""
    shape = hashlib.sha256()
    for file in sorted(_files(folder)):
        shape.update(f"{file.relative_to(folder)} {os.access(file, os.X_OK)}\0".encode())
        shape.update(hashlib.sha256(file.read_bytes()).digest())
    return shape.hexdigest()[:12]


def _files(folder: Path) -> Iterator[Path]:
    for name in SHAPES:
        top = folder / name
        for file in [top] if top.is_file() else top.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
    for file in (folder / HERE.relative_to(PROJECT)).glob("*"):
        if file.is_file() and not file.name.startswith(("test_", "conftest", "__main__")):
            yield file


@contextmanager
def _held(name: str) -> Iterator[tuple[Kept, dict[str, float]]]:
    """The template, which nobody removes inside the block; made first if need be, by one run at a time."""
    kept, folder, times = _kept(name), lockable(f"template-{name}"), dict[str, float]()
    while True:
        with lock(folder, shared=True):
            if kept.is_whole:
                yield kept, times
                return
        with lock(folder):
            if not kept.is_whole:
                times = _make(name, kept)


def _kept(name: str) -> Kept:
    with archives.held() as made:
        shape = f"{key()}-{made.key}"
    return Kept(TEMPLATES / name / shape, DISKS / "templates" / name / shape)


def _make(name: str, kept: Kept) -> dict[str, float]:
    """What was there goes first: it was made from other files, or not to its end."""
    shutil.rmtree(kept.folder.parent, ignore_errors=True)
    for disk in kept.disk.parent.glob("*"):
        volume.remove(disk)
    template, times = TABLE[name], dict[str, float]()
    if template.parent in TABLE:
        with _held(template.parent) as (_, times):
            pass
    host = claim()
    try:
        up(host, template.parent)
        if template.serves:
            host.store.start()
            host.receiver.start()
        for pages in template.runs:
            began = time.monotonic()
            deployed(host, *pages)
            times[f"{', '.join(pages)}, first run"] = time.monotonic() - began
        if template.serves and (answer := post(host)).status != 202:
            raise LabError("edge", f"the first lead was answered {answer.status}: {answer.told}", "read its log")
        if _kept(name) != kept:
            raise LabError(f"template {name}", "files changed while it was made from them", "run it again")
        host.keep(kept)
    finally:
        host.down()
    return times
