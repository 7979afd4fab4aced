"""All services, found by their folders in deploys/services, in the order in which they may import each other."""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Final

from deploys.kit.errors import Refused
from deploys.kit.plan.entry import GROUPS
from deploys.kit.plan.service import AnyService, Secret, Service

PACKAGE: Final = "deploys.services"
DATA: Final = frozenset({"acknowledge", "reason", "unlock", "verify"})  # what every page reads of --data
# Also the name of its file, and part of its name in Podman.
_SECRET: Final = "[a-z][a-z0-9]*(-[a-z0-9]+)*"  # noqa: S105 - a form


@cache
def every() -> tuple[AnyService, ...]:
    """Raises Refused, with every fault of the declarations in one error."""
    return ordered(list(_declared()))


def ordered(found: Iterable[AnyService]) -> tuple[AnyService, ...]:
    """Each service after those it may import. Raises Refused."""
    by_name = {service.name: service for service in sorted(found, key=lambda service: service.name)}
    if wrong := list(faults(list(found))):
        raise Refused(PACKAGE, ", ".join(wrong), "correct the declaration in the __init__.py of its folder")
    try:
        order = TopologicalSorter({name: sorted(one.after) for name, one in by_name.items()}).static_order()
        return tuple(by_name[name] for name in order)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise Refused(
            PACKAGE, f"services import in a circle ({circle})", "take one of them out of `after`"
        ) from None


def faults(found: list[AnyService]) -> Iterator[str]:
    """What is wrong with declarations, but for a circle."""
    names = [service.name for service in found]
    for service in found:
        yield from (
            f"{service.name} is after {one}, which does not exist" for one in service.after if one not in names
        )
        yield from (f"{service.name} has a group {one}" for one in service.groups if one not in GROUPS)
        yield from (fault for secret in service.secrets for fault in _secret_faults(secret))
    settings = [name for service in found for name in _names(service.settings)]
    secrets = [secret.name for service in found for secret in service.secrets]
    words = [*DATA, *(word for service in found for word in service.data)]
    listeners = [address for service in found for address in service.listeners]
    docs = [page for service in found for page in service.processes]
    for kind, all_of_it in (
        ("service", names),
        ("setting", settings),
        ("secret", secrets),
        ("--data word", words),
        ("docs page", docs),
        ("listener", listeners),
    ):
        yield from (f"{kind} {one} is declared twice" for one, times in Counter(all_of_it).items() if times > 1)


def secrets() -> dict[str, Secret]:
    """Every secret by its name, in the order of the services."""
    return {secret.name: secret for service in every() for secret in service.secrets}


def data_words() -> frozenset[str]:
    """Every `--data` word that pages read, besides settings."""
    return DATA | {word for service in every() for word in service.data}


def below(service: AnyService) -> set[str]:
    """The services that it may import, directly or through others."""
    by_name = {one.name: one for one in every()}
    return {*service.after, *(name for one in service.after for name in below(by_name[one]))}


def _secret_faults(secret: Secret) -> Iterator[str]:
    if not re.fullmatch(_SECRET, secret.name, re.ASCII):
        yield f"secret {secret.name!r} has a name that is not small letters, digits and single hyphens"
    if not secret.consumers:
        yield f"secret {secret.name} has no consumers"
    if secret.minimum_length < 1:
        yield f"secret {secret.name} may be empty"


def _names(settings: type | None) -> list[str]:
    return [field.name for field in fields(settings)] if settings else []


def _declared() -> Iterator[AnyService]:
    """Raises Refused for a folder that does not declare one service of its own name."""
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            continue
        inside = vars(importlib.import_module(f"{PACKAGE}.{module.name}"))
        found = [value for value in inside.values() if isinstance(value, Service)]
        if [service.name for service in found] != [module.name]:
            raise Refused(
                f"{PACKAGE}.{module.name}",
                f"declares {', '.join(service.name for service in found) or 'no service'}",
                f"declare one Service in its __init__.py, with the name {module.name!r}",
            )
        yield from found
