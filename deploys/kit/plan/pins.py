"""The manifest of an environment: the only place of versions, digests and checksums, read whole or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploys.kit import strict_yaml
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.plan import manifest, services

PAGE: Final = "docs/reference/releases.md"


@dataclass(frozen=True)
class Base:
    """What every Containerfile starts from: an imported `archive`, or an image from a `registry`.

    On top of it come Debian's packages as they were on the day `refreshed`, or soon after.
    """

    method: str
    sha256: str
    refreshed: str
    image: str = ""


@dataclass(frozen=True)
class Release:
    """One manifest, complete; `sha256` is of the file as it was read.

    `pins` holds the record of each service that has one, by the service's name: `REDIS.pin(release)` reads it.
    """

    name: str
    path: Path
    sha256: str
    base: Base
    pins: Mapping[str, Any]

    @property
    def environment(self) -> str:
        """The environment that the release's name begins with."""
        return manifest.environment(self.name)


def load(path: Path) -> Release:
    """Raises Refused, with every fault of the manifest and what belongs there in one error."""
    content = _content(path)
    document, twice = _document(path, content)
    faults = {**manifest.faults(document), **twice}
    if faults:
        listed = ", ".join(f"{key} {fault}" for key, fault in faults.items())
        raise Refused(str(path), listed, f"write what belongs there ({PAGE} says more)\n{_remedies(faults)}")
    return Release(
        name=document["release"],
        path=path,
        sha256=digest(content),
        base=Base(**document["base"]),
        pins={
            service.name: service.pinned.record(**document[service.name])
            for service in services.every()
            if service.pinned
        },
    )


def _content(path: Path) -> str:
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise Refused(str(path), f"cannot be read ({error.strerror})", f"{PAGE} shows one") from None
    except UnicodeDecodeError as error:
        raise Refused(str(path), f"byte {error.start} is not UTF-8", "save it as UTF-8") from None
    # A file cut off within its last line could hold a shorter version, valid and wrong.
    if content and not content.endswith("\n"):
        raise Refused(
            str(path), "does not end with a newline, so it may be cut off", "restore the whole file from git"
        )
    return content


def _document(path: Path, content: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        document, faults = strict_yaml.read(content)
    except ValueError as error:
        raise Refused(str(path), str(error), "fix it there") from None
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
