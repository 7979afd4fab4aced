"""A host's disk: a copy of another one, made this host's own."""

import secrets
import shutil
from pathlib import Path
from string import Template

from tests.lab import machine, volume
from tests.lab.certificates import STORE
from tests.lab.command import run
from tests.lab.folders import HERE
from tests.lab.network import Network

USER = "operator"
OWN_KEY = "etc/ssh/ssh_host_ed25519_key"
SEED = "var/lib/systemd/random-seed"


def make(root: Path, name: str, network: Network, source: Path) -> None:
    """Copy `source` to `root`, which nothing tells from a host installed by itself.

    The host's key and those who know it are left beside it, in the folder of the host.
    """
    volume.copy(source, root)
    (root / "etc/hostname").write_text(f"{name}\n", encoding="ascii")
    names = f"127.0.0.1 localhost\n127.0.1.1 {name}\n{network.gateway} {STORE}\n"
    (root / "etc/hosts").write_text(names, encoding="ascii")
    # Without it every boot would be a first boot to systemd.
    (root / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n", encoding="ascii")
    (root / SEED).unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text(machine.resolver(), encoding="utf-8")
    link = Template((HERE / "host0.network").read_text(encoding="ascii"))
    (root / "etc/systemd/network/80-container-host0.network").write_text(
        link.substitute(address=network.address, gateway=network.gateway), encoding="ascii"
    )


def make_keys(root: Path, folder: Path, address: str) -> None:
    """One for the operator, in `folder`, one for the host: nobody has to trust at first sight."""
    key, own = folder / "key", root / OWN_KEY
    for file in (key, own):
        file.unlink(missing_ok=True)
        run(*"ssh-keygen -q -t ed25519 -C motorcade-lab -N".split(), "", "-f", file)
    (folder / "known_hosts").write_text(f"{address} {_public(own)}", encoding="ascii")
    home = root / "home" / USER
    (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
    authorized = home / ".ssh/authorized_keys"
    authorized.write_text(_public(key), encoding="ascii")
    owner = home.stat()
    for path in (home / ".ssh", authorized):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def _public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text(encoding="ascii")
