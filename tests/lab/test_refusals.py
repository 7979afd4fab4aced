"""What a page must not do, it refuses before it has touched anything: the host is the same before and after."""

# More than a minute: each refusal is a run of pages, with the state read before and after.

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest
import yaml

from tests.lab.deploying import UNLOCK, deploy, deployed, everything, sentence
from tests.lab.host import Host


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    """A host that has passed PLAT_01 to PLAT_02B."""
    return lab("image")


@pytest.fixture
def untouched(host: Host) -> Iterator[Host]:
    before = everything(host)
    yield host
    assert everything(host) == before


@pytest.fixture
def manifest(host: Host) -> Iterator[Path]:
    """The host's manifest, put back afterwards."""
    path = host.directory / "release.yaml"
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)


@pytest.fixture
def vault(host: Host) -> Iterator[Path]:
    """The host's secrets, put back afterwards."""
    path = host.directory / "secrets"
    kept = path.with_name("kept")
    shutil.copytree(path, kept)
    yield path
    shutil.rmtree(path)
    kept.rename(path)


def refused(host: Host, *pages: str, data: dict[str, str] | None = None) -> str:
    ended = deploy(host, *pages, data=data)
    assert ended.code == 1, ended.output
    assert "Starting operation" not in ended.output
    return sentence(ended.output)


def test_a_host_whose_key_is_not_in_git(untouched: Host) -> None:
    ended = deploy(untouched, "plat_02c", data={"ssh_known_hosts_file": "inventories/known_hosts"})
    assert ended.code == 1
    assert f"No host key for {untouched.address} found in known_hosts" in ended.output
    assert "Starting operation" not in ended.output


def test_a_page_before_its_prerequisite(untouched: Host) -> None:
    assert "PLAT_03: PLAT_02C has not passed on this host; run deploys/plat_02c.py first" in refused(
        untouched, "plat_03"
    )


def test_a_base_archive_that_is_not_there(lab: Callable[..., Host]) -> None:
    bare = lab()
    (bare.directory / "base.tar").rename(bare.directory / "elsewhere.tar")
    assert "base.tar is not a file; set it to the root file system archive" in refused(bare, "plat_01")
    assert bare.root("command -v podman; ls /var/lib/motorcade", check=False).stdout == ""


def test_two_pages_in_the_wrong_order(untouched: Host) -> None:
    assert "PLAT_03: PLAT_02C has not passed" in refused(untouched, "plat_03", "plat_02c")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pins: pins.update(redis={"version": "8"}), "redis"),
        (lambda pins: pins["postgres"].pop("version"), "postgres.version"),
        (lambda pins: pins["postgres"].update(version="latest"), "postgres.version"),
        (lambda pins: pins["base"].update(sha256="unpinned"), "base.sha256"),
    ],
    ids=["unknown key", "missing key", "no version", "unpinned"],
)
def test_a_manifest_that_does_not_pin(
    untouched: Host, manifest: Path, change: Callable[[dict[str, dict[str, str]]], object], words: str
) -> None:
    pins = yaml.safe_load(manifest.read_text())
    change(pins)
    manifest.write_text(yaml.safe_dump(pins))
    said = refused(untouched, "plat_02c")
    assert str(manifest.name) in said
    assert words in said


def encrypt(vault: Path, text: str) -> bytes:
    recipients = [line for line in (vault / "recipients.txt").read_text().splitlines() if line.startswith("age1")]
    keys = [pyrage.x25519.Recipient.from_str(line) for line in recipients]
    return bytes(pyrage.encrypt(text.encode(), keys, armored=True))


@pytest.mark.parametrize("kind", ["missing", "empty", "placeholder", "short", "undecryptable"])
def test_a_secret_that_is_not_one(host: Host, vault: Path, kind: str) -> None:
    deployed(host, "plat_02c")
    before = everything(host)
    file = vault / "postgres-app.age"
    stranger = pyrage.x25519.Identity.generate().to_public()
    contents = {
        "empty": encrypt(vault, ""),
        "placeholder": encrypt(vault, "changeme"),
        "short": encrypt(vault, "Zq7-kPw2"),
        "undecryptable": pyrage.encrypt(b"f3Kq-9sLm2-Xv71-Tt0bQ-aa81", [stranger], armored=True),
    }
    if kind == "missing":
        file.unlink()
    else:
        file.write_bytes(contents[kind])
    said = refused(host, "plat_03")
    assert "postgres-app" in said
    assert "; " in said
    assert everything(host) == before


def test_a_reason_is_asked_for_with_every_unlock(untouched: Host) -> None:
    said = refused(untouched, "plat_01", "plat_04a", data={"unlock": "PLAT_04A"})
    assert "PLAT_04A: an unlock needs a reason" in said


def test_a_figure_where_words_are_wanted(untouched: Host) -> None:
    said = refused(untouched, "plat_01", data={**UNLOCK, "acknowledge": "20261121"})
    assert "acknowledge" in said


@pytest.mark.parametrize("words", [("--no-wait",)])
def test_ways_of_running_that_cannot_be_trusted(untouched: Host, words: tuple[str, ...]) -> None:
    ended = deploy(untouched, "plat_01", words=words)
    assert ended.code == 1
    assert words[0] in ended.output
