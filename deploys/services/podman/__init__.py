"""Podman, which runs every container."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.entry import GROUPS
from deploys.kit.plan.pin import Kind, OneOf, value
from deploys.kit.plan.service import Service


@dataclass(frozen=True)
class Podman:
    """How Podman comes to the host: `package` from the distribution, or `locked` to one archive."""

    method: str
    version: str
    archive: str = ""
    sha256: str = ""
    signature: str = ""
    key: str = ""


_VERSION: Final = value(pin.THREE_NUMBERS, "three numbers, as `podman --version` prints them")
_BESIDE: Final = "an https address, or the name of a file beside the manifest"
_FORM: Final = OneOf(
    "`package` (the distribution's) or `locked` (one archive, by checksum and signature)",
    package={"version": _VERSION},
    locked={
        "version": _VERSION,
        "archive": value(pin.ADDRESS_OR_FILE, f"the static build for the host's processor: {_BESIDE}"),
        "sha256": value(
            pin.SHA256, "what `sha256sum ARCHIVE` prints, once `gpg --verify SIGNATURE ARCHIVE` calls it good"
        ),
        "signature": value(pin.ADDRESS_OR_FILE, f"the archive's detached signature: {_BESIDE}"),
        # Fetched at the deploy it would prove nothing: whoever swaps the archive swaps the key.
        "key": value(
            pin.FILE,
            "the signer's public key: the name of a file beside the manifest; compare its fingerprint yourself",
        ),
    },
)

PODMAN: Final = Service("podman", GROUPS, pinned=Kind(Podman, _FORM))
