"""Podman by the pinned method: a Debian package, or a static archive with a verified checksum and signature."""

import base64
import io
from collections.abc import Generator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import FileUploadCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.operations import package
from deploys.kit.shell import SPARE_SECONDS, bounded

if TYPE_CHECKING:
    from deploys.kit.run.page import Page
    from deploys.services.podman import Podman

# netavark provides the network, aardvark-dns its names; netavark calls nftables.
PACKAGES: Final = "netavark aardvark-dns nftables"
ONE_ON_PATH: Final = (
    'found=$(for folder in $(echo "$PATH" | tr : " "); do'
    ' [ ! -x "$folder/podman" ] || readlink -f "$folder/podman"; done | sort -u);'
    ' [ "$(echo "$found" | grep -c .)" = 1 ] || { echo "$found"; false; }'
)
_STAGE: Final = "/var/lib/motorcade/staging/podman"
_GENERATOR: Final = "lib/systemd/system-generators/podman-system-generator"


def generator(pin: "Podman") -> str:
    """The path of this method's Quadlet generator."""
    return f"/usr/{_GENERATOR}" if pin.method == "package" else f"/usr/local/{_GENERATOR}"


def install(page: "Page", pin: "Podman") -> None:
    """Podman of exactly the pinned version; another version is replaced."""
    page.uses("podman", f"{pin.method} {pin.version} {pin.sha256}")
    _install(
        page=page,
        pin=pin,
        **page.op(f"podman {pin.version} ({pin.method})", package.INSTALL_SECONDS + SPARE_SECONDS),
    )


@operation()
def _install(page: "Page", pin: "Podman") -> Generator[StringCommand | FileUploadCommand]:
    probe = f'[ "$(podman --version)" = "podman version {pin.version}" ] && [ -x {generator(pin)} ]'
    if host.get_fact(Probe, probe).green:
        host.noop(f"podman {pin.version} is installed")
        return
    page.may_change("podman")
    if pin.method == "package":
        yield bounded(package.install("podman", pin.version, PACKAGES), package.INSTALL_SECONDS)
    else:
        yield from _fetch(page, pin)
        yield bounded(install_archive(pin), package.INSTALL_SECONDS)


def _fetch(page: "Page", pin: "Podman") -> Generator[StringCommand | FileUploadCommand]:
    """The archive, its signature and the key that signed it, in the staging folder, not yet trusted."""
    beside = page.settings.release_file.parent
    yield StringCommand(f"rm -rf {_STAGE} && mkdir -p -m 0700 {_STAGE}")
    for source, name in ((pin.archive, "archive"), (pin.signature, "signature")):
        if source.startswith("https://"):
            get = "curl --fail --silent --show-error --location --retry 3 --output"
            yield bounded(f"{get} {_STAGE}/{name} {quote(source)}", package.INSTALL_SECONDS)
        else:
            yield FileUploadCommand(io.BytesIO(_read(page, beside / source)), f"{_STAGE}/{name}")
    yield FileUploadCommand(io.BytesIO(dearmor(_read(page, beside / pin.key))), f"{_STAGE}/key")


def _read(page: "Page", path: Path) -> bytes:
    if not path.is_file():
        raise Refused(str(page.settings.release_file), f"podman: {path} is missing", "put it there")
    return path.read_bytes()


def dearmor(key: bytes) -> bytes:
    """An OpenPGP key in the form that gpgv reads: without the armour of RFC 9580."""
    if not key.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        return key
    body = key.replace(b"\r\n", b"\n").partition(b"\n\n")[2].partition(b"-----END")[0]
    return base64.b64decode(b"".join(line for line in body.splitlines() if not line.startswith(b"=")))


def install_archive(pin: "Podman") -> str:
    """The shell command that verifies the staged archive and installs its usr/local, each file by a rename.

    The archive's own /etc is left out: containers.conf and its neighbours are ours.
    """
    return (
        f"cd {_STAGE}; trap 'rm -rf {_STAGE}' EXIT;"
        f" echo '{pin.sha256}  archive' | sha256sum --check --quiet;"
        " command -v gpgv >/dev/null || { echo 'gpgv: not on the host; install GnuPG'; exit 1; };"
        " gpgv --quiet --keyring ./key signature archive;"
        " mkdir tree; tar -xzf archive -C tree --no-same-owner --strip-components=1; cd tree/usr/local;"
        ' find . -type d -exec mkdir -p "/usr/local/{}" \\;;'
        " find . ! -type d | while read -r file; do"
        ' new="/usr/local/$file.motorcade-new"; cp -P --preserve=mode "$file" "$new";'
        ' mv -fT "$new" "/usr/local/$file"; done;'
        " sync -f /usr/local"
    )
