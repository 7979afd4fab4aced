"""How the services of a host are: what the `state.py` in each service's folder says of it.

`troubles(host, settings, release)` returns what is wrong, each as `where: what; what to do`; what is unknown is
None. `differences(host, settings)` returns what drift reports, each with its kind.
`news(host)` returns one sentence for people, or nothing. A service has those that it needs.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from types import ModuleType

from pyinfra.api.host import Host

from deploys.kit.plan import services
from deploys.kit.plan.entry import members
from deploys.kit.plan.pins import Release
from deploys.kit.plan.settings import Settings


def troubles(host: Host, settings: Settings | None, release: Release | None) -> dict[str, list[str]]:
    """Of each service that is asked on this host: what is wrong with it."""
    return {
        name: state.troubles(host, settings, release)
        for name, state in states(host).items()
        if hasattr(state, "troubles")
    }


def differences(host: Host, settings: Settings) -> Iterator[tuple[str, str]]:
    """What is not as it should be, or ends soon: its kind, and a sentence."""
    for state in states(host).values():
        if hasattr(state, "differences"):
            yield from state.differences(host, settings)


def news(host: Host) -> list[str]:
    """What people want to know although nothing is wrong."""
    return [said for state in states(host).values() if hasattr(state, "news") and (said := state.news(host))]


def states(host: Host) -> dict[str, ModuleType]:
    """By service, in their order, for those that run on hosts of this one's groups and have a state.py."""
    groups = members(host.groups)
    names = {
        service.name: f"{services.PACKAGE}.{service.name}.state"
        for service in services.every()
        if any(group in groups for group in service.groups)
    }
    return {name: importlib.import_module(at) for name, at in names.items() if importlib.util.find_spec(at)}
