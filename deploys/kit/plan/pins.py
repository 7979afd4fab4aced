"""The manifest of an environment: the one place of versions, digests and checksums, read whole or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploys.kit import strict_yaml
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.plan import manifest

PAGE: Final = "docs/reference/releases.md"


@dataclass(frozen=True)
class Podman:
    """How Podman comes to the host: `package` from the distribution, or `locked` to one archive."""

    method: str
    version: str
    archive: str = ""
    sha256: str = ""
    signature: str = ""
    key: str = ""


@dataclass(frozen=True)
class Base:
    """What every Containerfile starts from: an imported `archive`, or an image of a `registry`."""

    method: str
    sha256: str
    image: str = ""


@dataclass(frozen=True)
class Built:
    """A service whose image we build: its exact version, and the git ref that holds its Containerfile."""

    version: str
    ref: str


@dataclass(frozen=True)
class Leadgen:
    """The intake: the git ref of its code and its image, and the exact Python that runs it."""

    python: str
    ref: str


@dataclass(frozen=True)
class Packaged:
    """A program that the host has from its distribution, by its exact version."""

    version: str


@dataclass(frozen=True)
class Release:
    """One manifest, complete; `sha256` is of the file as it was read."""

    name: str
    path: Path
    sha256: str
    podman: Podman
    base: Base
    postgres: Built
    redis: Built
    leadgen: Leadgen
    nginx: Packaged
    backup: Packaged

    @property
    def environment(self) -> str:
        """The one whose release this is, by the manifest's own word."""
        return manifest.environment(self.name)


def load(path: Path) -> Release:
    """Raises Refused, with every fault of the manifest in one error and what belongs there instead."""
    content = _content(path)
    document, twice = _document(path, content)
    faults = {**manifest.faults(document), **twice}
    if faults:
        listed = ", ".join(f"{key} {fault}" for key, fault in faults.items())
        raise Refused(str(path), listed, f"write there ({PAGE} tells more)\n{_remedies(faults)}")
    return Release(
        name=document["release"],
        path=path,
        sha256=digest(content),
        podman=Podman(**document["podman"]),
        base=Base(**document["base"]),
        postgres=Built(**document["postgres"]),
        redis=Built(**document["redis"]),
        leadgen=Leadgen(**document["leadgen"]),
        nginx=Packaged(**document["nginx"]),
        backup=Packaged(**document["backup"]),
    )


def _content(path: Path) -> str:
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise Refused(str(path), f"cannot be read ({error.strerror})", f"{PAGE} shows one") from None
    except UnicodeDecodeError as error:
        raise Refused(str(path), f"byte {error.start} is no UTF-8", "save it as UTF-8") from None
    # A file cut off within its last line could hold a shorter version, valid and wrong.
    if content and not content.endswith("\n"):
        raise Refused(str(path), "its last line has no end", "restore the whole file from git")
    return content


def _document(path: Path, content: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        document, faults = strict_yaml.read(content)
    except ValueError as error:
        raise Refused(str(path), str(error), "mend it there") from None
    if not isinstance(document, dict):
        raise Refused(str(path), "holds no keys", f"{PAGE} shows a whole one")
    return document, faults


def _remedies(faults: Mapping[str, str]) -> str:
    """What belongs in each key that has a fault, one a line."""
    known = manifest.meanings()
    return "\n".join(
        f"  {key}: {'one of the two' if 'stands twice' in fault else known.get(key, 'nothing, take it out')}"
        for key, fault in faults.items()
    )
