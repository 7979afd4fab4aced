"""What images are made of, as CycloneDX: the intake's Python packages by its lock, and Debian's packages.

The lock is known before the image is built. Debian's packages are those of a day, so they are read from the image.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from deploys.kit.operations.image import Image

VERSION: Final = SchemaVersion.V1_6
_HOST: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}


def document(built: "Image", lock: str, made: datetime) -> str:
    """The JSON of one image; reproducible for the same image, lock and time."""
    python = built.labels["motorcade.version"]
    image = Component(
        bom_ref=built.tag, type=ComponentType.CONTAINER, name=built.tag.rpartition(":")[0], version=built.release
    )
    interpreter = Component(bom_ref="python", type=ComponentType.PLATFORM, name="python", version=python)
    return _text(image, [interpreter, *_packages(addresses(lock, python))], built.tag, made)


def debian(tag: str, identity: str, lines: Sequence[str], made: datetime) -> str:
    """The JSON of Debian's packages in an image with this id, from the lines of `image.packages_command`."""
    name, _, version = tag.rpartition(":")
    image = Component(bom_ref=tag, type=ComponentType.CONTAINER, name=name, version=version)
    image.properties.add(Property(name="motorcade:image-id", value=identity))
    return _text(image, _packages(map(debian_address, lines)), f"{tag} {identity}", made)


def debian_address(line: str) -> PackageURL:
    """Advisories name source packages, so `upstream` has that one where it differs."""
    distribution, name, version, architecture, source, of_source = line.split(" ")
    of = {"arch": architecture, "distro": distribution}
    if (source, of_source) != (name, version):
        of["upstream"] = f"{source}@{of_source}"
    return PackageURL("deb", distribution.partition("-")[0], name, version, of)


def _packages(found: Iterable[PackageURL]) -> list[Component]:
    return [
        Component(bom_ref=str(address), name=address.name, version=address.version, purl=address)
        for address in found
    ]


def _text(image: Component, parts: Sequence[Component], key: str, made: datetime) -> str:
    bom = Bom(
        serial_number=uuid5(NAMESPACE_OID, f"{key} {made.isoformat()}"),
        metadata=BomMetaData(component=image, timestamp=made),
        components=parts,
    )
    # Neither a lock nor a list says which package asked for which.
    bom.register_dependency(image, parts)
    return make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=2) + "\n"


def addresses(lock: str, python: str) -> Iterator[PackageURL]:
    """The packages that pip takes from a lock for this Python on Linux; the lock covers other systems too."""
    host = {**_HOST, "python_full_version": python, "python_version": python.rpartition(".")[0]}
    for line in lock.splitlines():
        if not line or line.startswith((" ", "#")):
            continue
        wanted = Requirement(line.removesuffix("\\"))
        if wanted.marker is None or wanted.marker.evaluate(host):
            (pin,) = wanted.specifier
            yield PackageURL("pypi", name=wanted.name, version=pin.version)
