"""The declaration of a service: everything the kit, the commands and the tests need to know of it.

Each `deploys/services/<name>/__init__.py` holds one, and imports nothing but `kit.plan`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, cast

from deploys.kit.plan.pin import Built, Kind, P


class Pinned(Protocol):
    """What is read of a release here; `pins` knows all of it, and asks the services."""

    @property
    def pins(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Secret:
    """One secret of a service. `consumers` are the pages that must run after a rotation.

    `made_by` is the command whose output it is: a random value would not work there. `about` is for the operator.
    An `optional` one is needed only by those who use what it is for.
    """

    name: str
    minimum_length: int
    consumers: tuple[str, ...]
    made_by: str = ""
    about: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Recipe:
    """How the service's image is built: `containers/<service>` at the pin's ref, and the folders in `also`.

    The image's tag begins with `name`, or with the version if there is none.
    """

    pin: Built
    name: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service(Generic[P]):
    """One service. `name` is its folder, its image and its block in `releases/`.

    `groups`: the hosts that it runs on, as in an inventory. `after`: the services that its code may import.
    `settings`: a frozen dataclass of its own settings; each has its default in group_data/all.py.
    `listeners`: the addresses and ports at which it listens for TCP on a host.
    `data`: the `--data` words that its pages read. `processes`: its pages in docs/services -> each one's command.
    `recipe`: the image that follows from a pin, for a service whose image we build.
    """

    name: str
    groups: tuple[str, ...]
    after: tuple[str, ...] = ()
    pinned: Kind[P] | None = None
    settings: type | None = None
    secrets: tuple[Secret, ...] = ()
    listeners: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    processes: Mapping[str, str] = field(default_factory=dict)
    recipe: Callable[[P], Recipe] | None = None

    def pin(self, release: Pinned) -> P:
        """What the manifest pins of this service."""
        return cast("P", release.pins[self.name])

    def image(self, release: Pinned) -> Recipe | None:
        """How this release builds the service's image; None if it has none of ours."""
        return self.recipe(self.pin(release)) if self.recipe else None


AnyService = Service[Any]
