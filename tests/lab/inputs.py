"""What pages are given for a lab host: the completed manifest, the base archive, secrets and their key."""

import base64
import hashlib
import os
from pathlib import Path

import pyrage
import yaml

from deploys.kit.secrets import generate_all
from deploys.services.alerts import WEBHOOK
from deploys.services.leadgen import api_keys
from leadgen.domain import api_key
from leadgen.domain.synthetic import CLIENT_ID
from tests.lab.archives import PINNED, Archives
from tests.lab.folders import PROJECT

MANIFEST = PROJECT / "releases/lab.yaml"
SECRETS = PROJECT / "group_data/secrets/lab/manifest.yaml"
UNPINNED = "unpinned"


def write(folder: Path, archives: Archives) -> None:
    # A link, so that a host keeps the archive it was measured with when the next day's replaces it.
    (folder / "base.tar").hardlink_to(archives.base)
    measures = {piece: {key: archives.version(package)} for (piece, key), package in PINNED.items()}
    measures["base"] = {"sha256": _sha256(folder / "base.tar")}
    completed = complete(yaml.safe_load(MANIFEST.read_text(encoding="utf-8")), measures)
    (folder / "release.yaml").write_text(yaml.safe_dump(completed, sort_keys=False), encoding="utf-8")
    write_secrets(folder / "identity.txt", folder / "secrets")


def complete(
    manifest: dict[str, dict[str, str]], measures: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """The manifest with its unpinned values measured; a pinned one stays, right or wrong."""
    for piece, values in measures.items():
        for key, value in values.items():
            if manifest[piece][key] == UNPINNED:
                manifest[piece][key] = value
    return manifest


def write_secrets(file: Path, secrets: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    file.touch(mode=0o600)
    file.write_text(f"{identity}\n", encoding="ascii")
    vault = generate_all(secrets, SECRETS, [str(identity.to_public())])
    # Random words are no API keys: one is the pages' own, one the edge's, and one a client's, which tests use.
    vault.store(api_keys.PROBE, api_key.mint(CLIENT_ID, frozenset({"intake"}), None)[0])
    vault.store(api_keys.SITE, api_key.mint("site", frozenset({"intake"}), None)[0])
    key, line = api_key.mint("website", frozenset({"intake"}), None)
    vault.store(api_keys.KEYS, line)
    vault.store(WEBHOOK, base64.b64encode(os.urandom(32)).decode())
    file.with_name("api-key").write_text(f"{key}\n", encoding="ascii")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
