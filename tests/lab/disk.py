"""A host's disk: a folder, made from the archives, kept as snapshots and brought back."""

import secrets
import shutil
from pathlib import Path
from string import Template

from tests.lab import machine
from tests.lab.archives import Archives
from tests.lab.certificates import STORE
from tests.lab.cgroup import Group
from tests.lab.command import run
from tests.lab.folders import HERE
from tests.lab.network import Network

COPY_SECONDS = 300
USER = "operator"


def make(root: Path, name: str, network: Network, archives: Archives, group: Group) -> None:
    """Fill `root`; the host's key and those who know it are left beside it."""
    run(*group.words("cp", "--archive", "--reflink=auto", archives.root, root), seconds=COPY_SECONDS)
    (root / "etc/hostname").write_text(f"{name}\n", encoding="ascii")
    names = f"127.0.0.1 localhost\n127.0.1.1 {name}\n{network.gateway} {STORE}\n"
    (root / "etc/hosts").write_text(names, encoding="ascii")
    # Without it every boot would be a first boot to systemd.
    (root / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n", encoding="ascii")
    (root / "etc/resolv.conf").write_text(machine.resolver(), encoding="utf-8")
    link = Template((HERE / "host0.network").read_text(encoding="ascii"))
    (root / "etc/systemd/network/80-container-host0.network").write_text(
        link.substitute(address=network.address, gateway=network.gateway), encoding="ascii"
    )
    _make_keys(root, network.address)


def mirror(source: Path, target: Path, group: Group) -> None:
    """Make a folder equal to another one, touching only what differs."""
    # One second is long for a database: -1 compares times to the nanosecond.
    options = "--archive --hard-links --acls --xattrs --numeric-ids --delete --modify-window=-1".split()
    run(*group.words("rsync", *options, f"{source}/", target), seconds=COPY_SECONDS)


def _make_keys(root: Path, address: str) -> None:
    """One for the operator, one for the host: nobody has to trust at first sight."""
    key, own = root.parent / "key", root / "etc/ssh/ssh_host_ed25519_key"
    for file in (key, own):
        run(*"ssh-keygen -q -t ed25519 -C motorcade-lab -N".split(), "", "-f", file)
    (root.parent / "known_hosts").write_text(f"{address} {_public(own)}", encoding="ascii")
    home = root / "home" / USER
    (home / ".ssh").mkdir(mode=0o700)
    authorized = home / ".ssh/authorized_keys"
    authorized.write_text(_public(key), encoding="ascii")
    owner = home.stat()
    for path in (home / ".ssh", authorized):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def _public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text(encoding="ascii")
