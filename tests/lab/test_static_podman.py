"""PLAT_01 by the pinned static archive, as on a host whose distribution has no Podman package."""

# More than a minute: nothing can be copied, as the archive is made and pages run on it from bare.

import base64
import hashlib
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.lab.deploying import NOTHING, deploy, deployed, sentence, state
from tests.lab.host import Host

# The layout of the static builds: one folder, below it usr/local and an etc that is not ours.
BUILD = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
packages='podman crun netavark aardvark-dns nftables gnupg gpgv'
apt-get install -qq -y --no-install-recommends $packages >/dev/null 2>&1
tree=/root/podman-linux-amd64
local=$tree/usr/local
mkdir -p $tree/etc/containers $local/bin $local/lib/podman $local/lib/systemd/system-generators
echo 'not = "ours"' > $tree/etc/containers/containers.conf
cp /usr/bin/podman /usr/bin/crun $local/bin/
cp /usr/bin/conmon /usr/lib/podman/netavark /usr/lib/podman/aardvark-dns $local/lib/podman/
cp /usr/libexec/podman/quadlet $local/lib/podman/
# A static build's generator knows where its podman lies; Debian's has to be told.
generator=$local/lib/systemd/system-generators/podman-system-generator
printf '#!/bin/sh\nPODMAN=/usr/local/bin/podman exec /usr/local/lib/podman/quadlet "$@"\n' > $generator
chmod 755 $generator
tar -czf /root/podman.tar.gz -C /root podman-linux-amd64
export GNUPGHOME=/root/gnupg
mkdir -m 0700 $GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key builder@example.invalid ed25519 sign never
gpg --batch --quiet --armor --detach-sign --output /root/podman.tar.gz.asc /root/podman.tar.gz
gpg --batch --quiet --armor --export --output /root/key.asc builder@example.invalid
# The programs go, the libraries they need stay: a static build would bring its own.
apt-get remove -qq -y podman crun conmon netavark aardvark-dns >/dev/null 2>&1
rm -rf /etc/containers /usr/lib/systemd/system-generators/podman-system-generator
"""
FILES = ("podman.tar.gz", "podman.tar.gz.asc", "key.asc")


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    """A host without Podman; its manifest pins an archive that lies beside it."""
    made = lab()
    made.root("cp /etc/containers/containers.conf.d/90-lab.conf /root/")
    made.root("sh -s", given=BUILD, seconds=300)
    made.root("install -D -m 0644 /root/90-lab.conf /etc/containers/containers.conf.d/90-lab.conf")
    for name in FILES:
        encoded = made.root(f"base64 /root/{name}", seconds=120).stdout
        (made.directory / name).write_bytes(base64.b64decode(encoded))
    pin(made, sha256=hashlib.sha256((made.directory / FILES[0]).read_bytes()).hexdigest())
    return made


def pin(host: Host, **changes: str) -> None:
    path = host.directory / "release.yaml"
    manifest = yaml.safe_load(path.read_text())
    archive, signature, key = FILES
    known = {
        "archive": archive,
        "signature": signature,
        "key": key,
        "sha256": manifest["podman"].get("sha256", ""),
    }
    manifest["podman"] = {"method": "locked", "version": manifest["podman"]["version"], **known, **changes}
    path.write_text(yaml.safe_dump(manifest))


@pytest.fixture
def other(host: Host) -> Iterator[Callable[..., None]]:
    """Pins something else until the end of the test."""
    path = host.directory / "release.yaml"
    kept = path.read_bytes()
    yield lambda **changes: pin(host, **changes)
    path.write_bytes(kept)


def test_an_archive_of_another_checksum_is_not_installed(host: Host, other: Callable[..., None]) -> None:
    before = state(host)
    other(sha256="0" * 64)
    ended = deploy(host, "plat_01")
    assert ended.code == 1
    assert "archive: FAILED" in ended.output
    assert "podman" not in host.root("ls /usr/local/bin").stdout
    assert state(host).partition("# files")[0] == before.partition("# files")[0]


def test_an_archive_that_somebody_else_signed_is_not_installed(host: Host, other: Callable[..., None]) -> None:
    stranger = "export GNUPGHOME=/root/stranger; mkdir -m 0700 $GNUPGHOME;"
    stranger += " gpg --batch --quiet --passphrase '' --quick-generate-key s@example.invalid ed25519 sign never;"
    stranger += " gpg --batch --quiet --armor --export s@example.invalid"
    (host.directory / "stranger.asc").write_text(host.root(stranger).stdout)
    other(key="stranger.asc")
    ended = deploy(host, "plat_01")
    assert ended.code == 1
    assert "No public key" in sentence(ended.output)
    assert "podman" not in host.root("ls /usr/local/bin").stdout


def test_the_pinned_archive_serves_the_pages_that_follow(host: Host) -> None:
    deployed(host, "plat_01", "plat_02a", "plat_02b", "plat_02c")
    assert host.root("command -v podman").stdout.strip() == "/usr/local/bin/podman"
    assert "not = " not in host.root("cat /etc/containers/containers.conf").stdout
    again = deployed(host, "plat_01", "plat_02a", "plat_02b", "plat_02c")
    assert again.did == NOTHING
