"""A small Debian system, made from the machine's mirrors with the machine's settings."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.lab import machine
from tests.lab.cgroup import Group
from tests.lab.command import run

SUITE = "trixie"
BUILD_SECONDS = 600


def build(target: Path, packages: list[str], files: Mapping[str, bytes], hooks: list[str], group: Group) -> None:
    """Into a folder, or a tar if its name ends so. `files` are below the root; hooks get the root as $1."""
    packed, settings = (target.with_name(f"{target.name}-{name}") for name in ("files.tar", "apt.conf"))
    _pack(files, packed)
    settings.write_bytes(files[machine.APT_FILE])
    trust = ['chroot "$1" update-ca-certificates', f"upload {machine.CA_BUNDLE} {machine.CA_BUNDLE}"]
    command = group.words(
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        f"--aptopt={settings}",
        *(f"--customize-hook={hook}" for hook in (f"tar-in {packed} /", *trust, *hooks)),
        SUITE,
        target,
        *machine.sources(SUITE),
    )
    run(*command, seconds=BUILD_SECONDS)
    packed.unlink()
    settings.unlink()


def _pack(files: Mapping[str, bytes], target: Path) -> None:
    """Files only: a folder in the tar would put its own mode on one that the packages made."""
    with tarfile.open(target, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
