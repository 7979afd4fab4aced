"""Images built on the host from a Containerfile and the pinned base; not rebuilt while the labels are equal.

The tag carries a hash of the pin, and the id of the built image is kept on the host, which reveals another image
under the tag, or a container that runs another.
"""

import base64
import io
import subprocess
import tarfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import FileUploadCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.errors import Refused
from deploys.kit.facts import Probe, digest
from deploys.kit.plan.pin import WORKTREE
from deploys.kit.shell import SPARE_SECONDS, bounded

if TYPE_CHECKING:
    from deploys.kit.plan.pin import Built
    from deploys.kit.plan.pins import Release
    from deploys.kit.plan.service import Recipe
    from deploys.kit.run.page import Page

IDS: Final = "/var/lib/motorcade/images"
_BUILD_SECONDS: Final = 900
_LIST_SECONDS: Final = 60
_PACKAGES: Final = (
    r'. /etc/os-release; dpkg-query --show --showformat "\${db:Status-Status} $ID-$VERSION_ID'
    r' \${Package} \${Version} \${Architecture} \${source:Package} \${source:Version}\n"'
)
_MTIME: Final = 315_619_200  # 2 January 1980: a zip, and so a wheel, cannot hold an earlier time


@dataclass(frozen=True)
class Image:
    """One image we build: where it comes from, and the labels that prove it."""

    tag: str
    labels: Mapping[str, str]
    context: bytes  # tar of the build context

    @property
    def release(self) -> str:
        """The release that the program reports: the tag alone, which is unique to this source."""
        return self.tag.rpartition(":")[2]

    @property
    def source(self) -> str:
        """Sha256 over everything that shapes the image."""
        return _source(self.labels)

    @property
    def id_file(self) -> str:
        return f"{IDS}/{self.tag.rpartition('/')[2].replace(':', '-')}.id"

    @property
    def packages_file(self) -> str:
        """On the host: the image's id, and below it its Debian packages, as `packages_command` prints them."""
        return f"{self.id_file.removesuffix('.id')}.packages"

    def check_before(self, file: str) -> str:
        """The same for a page that needs the image; a failure names the page that builds it."""
        missing = f"{self.tag} was not built on this host from the pin; run {file} first"
        return f"{self.check()} || {{ echo '{missing}'; false; }}"

    def check(self) -> str:
        """Shell: succeeds when the image under the tag is the one built on this host from this pin."""
        form = " ".join(f'{{{{index .Labels "{label}"}}}}' for label in self.labels)
        wanted = " ".join(self.labels.values())
        return (
            f"[ \"$(podman image inspect --format '{{{{.Id}}}} {form}' {self.tag})\""
            f' = "$(cat {self.id_file}) {wanted}" ]'
        )


def base_tag(release: "Release") -> str:
    """A Containerfile's BASE_IMAGE: a registry's digest, or our tag of the imported archive."""
    if release.base.method == "registry":
        return f"{release.base.image}@sha256:{release.base.sha256}"
    return f"localhost/motorcade-base:13-{release.base.sha256[:12]}"


def of(page: "Page", service: str, pin: "Built") -> Image:
    """The image of containers/<service> at the pinned ref. Raises Refused when this repository has no such ref."""
    return use(page, service, at(page.release, service, pin))


def use(page: "Page", service: str, image: Image) -> Image:
    """At load: the image is part of the page's hash."""
    page.uses(f"image {service}", image.source)
    return image


def at(release: "Release", service: str, pin: "Built", *, name: str = "", also: Sequence[str] = ()) -> Image:
    """What `of` returns, without a page; `also` holds other files and folders of the repository.

    Its tag begins with `name`, or else with the version.
    """
    context = pack(context_files(service, pin.ref, also))
    labels = {
        "motorcade.version": pin.version,
        "motorcade.ref": pin.ref,
        "motorcade.base": release.base.sha256,
        "motorcade.refreshed": release.base.refreshed,
        "motorcade.context": digest(context),
    }
    tag = f"localhost/motorcade-{service}:{name or pin.version}-{_source(labels)[:12]}"
    return Image(tag, labels, context)


def from_recipe(release: "Release", service: str, recipe: "Recipe") -> Image:
    """The image that a service's declaration describes. Raises Refused for a ref that does not exist here."""
    return at(release, service, recipe.pin, name=recipe.name, also=recipe.also)


def _source(labels: Mapping[str, str]) -> str:
    return digest("\n".join(labels.values()))


def provide_base(page: "Page") -> None:
    """The base image is on the host: pulled by digest, or imported from an archive with a pinned checksum.

    Raises Refused, at load, if it must be imported and there is no archive.
    """
    archive = page.settings.base_archive
    absent = archive is None or not archive.is_file()
    if (
        page.release.base.method == "archive"
        and absent
        and not host.get_fact(Probe, _base_check(page.release)).green
    ):
        raise Refused(
            "group_data", f"base_archive {archive} is not a file", "set it to the root file system archive"
        )
    page.uses("base", base_tag(page.release))
    _provide_base(page=page, **page.op(f"base image {base_tag(page.release)}", _BUILD_SECONDS + SPARE_SECONDS))


def build(page: "Page", image: Image) -> None:
    """The image is on the host under its tag, with its labels and the id recorded by its build.

    Its Debian packages are listed beside the id, and the record of the run has the sha256 of that list.
    """
    _build(page=page, image=image, **page.op(f"image {image.tag}", _BUILD_SECONDS + SPARE_SECONDS))
    _list(page=page, image=image, **page.op(f"packages of {image.tag}", _LIST_SECONDS + SPARE_SECONDS))
    page.run.note_sum(image.packages_file)


@operation()
def _provide_base(page: "Page") -> Generator[StringCommand | FileUploadCommand]:
    base, tag = page.release.base, base_tag(page.release)
    if host.get_fact(Probe, _base_check(page.release)).green:
        host.noop(f"{tag} is on the host")
        return
    page.may_change(f"base image {tag}")
    if base.method == "registry":
        yield bounded(f"podman pull --quiet {tag}", _BUILD_SECONDS)
        return
    stage = f"/var/lib/motorcade/staging/{page.id}/base"
    yield bounded(f"rm -rf {stage}; mkdir -p -m 0700 {stage}", SPARE_SECONDS)
    yield FileUploadCommand(str(page.settings.base_archive), f"{stage}/archive")
    yield bounded(
        f"trap 'rm -rf {stage}' EXIT; cd {stage}; echo '{base.sha256}  archive' | sha256sum --check --quiet;"
        f" podman import --quiet --change 'LABEL motorcade.archive={base.sha256}' archive {tag}",
        _BUILD_SECONDS,
    )


def _base_check(release: "Release") -> str:
    """Shell: succeeds when the base image is on the host and came from the pin."""
    tag, form = base_tag(release), '{{index .Labels "motorcade.archive"}}'
    if release.base.method == "registry":
        return f"podman image exists {tag}"
    return f"[ \"$(podman image inspect --format '{form}' {tag})\" = {release.base.sha256} ]"


@operation()
def _build(page: "Page", image: Image) -> Generator[StringCommand]:
    if host.get_fact(Probe, image.check()).green:
        host.noop(f"{image.tag} was built here")
        return
    page.may_change(f"image {image.tag}")
    stage = f"/var/lib/motorcade/staging/{page.id}/context"
    labels = " ".join(f"--label {quote(f'{key}={value}')}" for key, value in image.labels.items())
    version = quote(image.labels["motorcade.version"])
    yield bounded(
        f"rm -rf {stage}; mkdir -p {stage} {IDS}; trap 'rm -rf {stage}' EXIT;"
        f" base64 -d | tar -x -C {stage};"
        f" podman build --quiet --pull=never --build-arg BASE_IMAGE={base_tag(page.release)}"
        f" --build-arg VERSION={version} --build-arg RELEASE={image.release}"
        f" --build-arg REFRESHED={image.labels['motorcade.refreshed']} {labels}"
        f" --iidfile {image.id_file}.new --tag {image.tag} {stage};"
        f" sed -i 's/^sha256://' {image.id_file}.new; sync {image.id_file}.new;"
        f" mv -fT {image.id_file}.new {image.id_file}",
        _BUILD_SECONDS,
        base64.encodebytes(image.context).decode(),
    )


@operation()
def _list(page: "Page", image: Image) -> Generator[StringCommand]:
    del page  # a list changes nothing on the host, so a locked page may write it, too
    file = image.packages_file
    # The id is part of the list: an image that was built again under its tag may hold other packages.
    if host.get_fact(Probe, f'[ "$(sed -n 1p {file})" = "$(cat {image.id_file})" ]').green:
        host.noop(f"{image.tag}: its packages are listed")
        return
    yield bounded(
        f"{{ cat {image.id_file}; echo; {packages_command(image.tag)}; }} >{file}.new;"
        f" sed 1d {file}.new | grep -q .; sync {file}.new; mv -fT {file}.new {file}",
        _LIST_SECONDS,
    )


def packages_command(tag: str) -> str:
    """Shell: a line for each package: distribution, name, version, architecture, source, version of the source."""
    run = "podman run --rm --network none --read-only --cap-drop all --log-driver none --image-volume ignore"
    return f"{run} --entrypoint sh {tag} -c {quote(_PACKAGES)} | sed -n 's/^installed //p'"


def context_files(service: str, ref: str, also: Sequence[str] = ()) -> dict[str, tuple[bytes, bool]]:
    """Path in the context -> content and whether it is executable, at a git ref or in the worktree.

    Files of containers/<service> are at the top; each of `also` keeps its path in the repository.
    """
    own = f"containers/{service}/"
    found = _worktree_files([own, *also]) if ref == WORKTREE else _committed_files(ref, [own, *also])
    return {name.removeprefix(own): file for name, file in found}


def _worktree_files(paths: Sequence[str]) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    for root in map(Path, paths):
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(PurePosixPath(path)), (path.read_bytes(), bool(path.stat().st_mode & 0o100))


def _committed_files(ref: str, paths: Sequence[str]) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    archive = subprocess.run(  # noqa: S603 - the ref is one of the manifest, of the form that pins.py allows
        ["git", "archive", "--format=tar", f"refs/tags/{ref}", "--", *paths],  # noqa: S607 - the operator's own git
        check=False,
        capture_output=True,
    )
    if archive.returncode != 0:
        raise Refused(
            f"git ref {ref}", archive.stderr.decode().strip(), "fetch the tag, or pin one that exists here"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        for member in tar.getmembers():
            if content := tar.extractfile(member):
                yield member.name, (content.read(), bool(member.mode & 0o100))


def pack(files: Mapping[str, tuple[bytes, bool]]) -> bytes:
    """A reproducible tar: the same bytes for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, (content, executable) in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if executable else 0o644
            member.mtime = _MTIME
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
