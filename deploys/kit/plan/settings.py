"""What differs by environment, read once a page from group_data into one typed record."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from pyinfra.api.host import Host

from deploys.kit.errors import Refused
from deploys.kit.plan import services

Own = TypeVar("Own")


@dataclass(frozen=True)
class Settings:
    """One environment's settings; group_data/all.py says what each means.

    `services` holds the records that the services declare: `settings.of(Redis)` is one of them.
    """

    environment: str
    release_file: Path
    secrets_directory: Path
    age_identity: Path | None
    deployments_directory: Path
    base_archive: Path | None
    core_subnet: str
    drift_expected: str
    disk_percent_max: int
    expiry_days: int
    services: tuple[object, ...]

    def of(self, kind: type[Own]) -> Own:
        """A service's own settings, by the record that it declares."""
        return next(own for own in self.services if isinstance(own, kind))


COMMON: Final = tuple(field for field in fields(Settings) if field.name != "services")


def names() -> frozenset[str]:
    """Every setting there is."""
    return frozenset(field.name for field in _fields())


def read(host: Host) -> Settings:
    """The host's settings; pyinfra merges --data over host over group over all."""
    return from_values(host.name, {name: getattr(host.data, name) for name in names() if hasattr(host.data, name)})


def overridden(host: Host) -> dict[str, str]:
    """Settings from the command line, for this run only: they are in no commit, so the record keeps them."""
    given = host.inventory.override_data
    return {field.name: str(given[field.name]) for field in _fields() if field.name in given}


def from_values(host_name: str, values: Mapping[str, Any]) -> Settings:
    """Raises Refused, with every missing or mistyped setting in one error."""
    faults = []
    found: dict[str, Any] = {}
    for field in _fields():
        kind = field.type
        value = values.get(field.name)
        if value is None and kind in (Path | None, str | None):
            found[field.name] = None
        elif kind == str | None and isinstance(value, str) and value:
            found[field.name] = value
        elif kind in (Path, Path | None) and isinstance(value, str) and value:
            found[field.name] = Path(value.replace("{host}", host_name)).expanduser()
        elif isinstance(kind, type) and type(value) is kind and value:
            found[field.name] = value
        else:
            faults.append(f"{field.name} is {value!r}")
    if faults:
        raise Refused("group_data", ", ".join(faults), "set them there as group_data/all.py shows")
    common = {field.name: found[field.name] for field in COMMON}
    own = (kind(**{field.name: found[field.name] for field in fields(kind)}) for kind in _kinds())
    return Settings(**common, services=tuple(own))


def _kinds() -> Iterator[type]:
    return (service.settings for service in services.every() if service.settings)


def _fields() -> Iterator["Field[Any]"]:
    """Of every setting: those of the kit, then those of each service."""
    yield from COMMON
    for kind in _kinds():
        yield from fields(kind)
