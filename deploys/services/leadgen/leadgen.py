"""The intake for its pages: its image at a ref, its three services, and the values of their units."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from pyinfra.context import host

from deploys.kit import secrets
from deploys.kit.operations import image
from deploys.kit.operations.image import Image
from deploys.kit.plan.entry import members
from deploys.kit.quadlet import linter
from deploys.services.leadgen import ADDRESS, LEADGEN, Intake, recipe
from deploys.services.nginx import Edge
from deploys.services.postgres import database
from deploys.services.redis import SOCKETS as REDIS_SOCKETS

if TYPE_CHECKING:
    from deploys.kit.plan.pins import Release
    from deploys.kit.run.page import Page

SERVICES: Final = ("api", "worker", "sweeper")
USER: Final = "10003"  # fixed in containers/leadgen, so that its files have the same owner on every host
ERASURE_KEY: Final = "leadgen-erasure-key"
# Its role in the database. Worker and sweeper have one, which people use, too: commands run in the sweeper.
DATABASE_ROLES: Final = {"api": "api", "worker": "app", "sweeper": "app"}
# Its user in Redis; the sweeper does without.
REDIS_USERS: Final = {"api": "bell", "worker": "worker"}
# Where PostgreSQL and Redis listen on this host, each with the page that starts it.
_SOCKETS: Final = {
    f"{database.SOCKETS}/.s.PGSQL.5432": "deploys/plat_02b.py deploys/plat_02c.py",
    f"{REDIS_SOCKETS}/redis.sock": "deploys/plat_08b.py deploys/plat_08c.py",
}
_OPTIONS: Final = {"Secret": "--secret", "Environment": "--env", "Volume": "--volume"}


def image_at(page: "Page", ref: str) -> Image:
    """The image of the intake at a ref; its tag begins with the ref. Raises Refused if the ref does not exist."""
    return image.use(page, "leadgen", image_from(page.release, ref))


def image_from(release: "Release", ref: str) -> Image:
    """The same, without a page."""
    return image.from_recipe(release, "leadgen", recipe(replace(LEADGEN.pin(release), ref=ref)))


def unit_of(service: str) -> str:
    """`motorcade-leadgen-api` of `api`."""
    return f"motorcade-leadgen-{service}"


def ready() -> str:
    """Shell: succeeds if a lead can be stored right now, and otherwise shows why not."""
    return f"curl --silent --show-error --fail-with-body --max-time 5 http://{ADDRESS}/lead/ready"


def reachable() -> str:
    """Shell: succeeds if PostgreSQL and Redis listen where the containers look; says what to run if not."""
    return " && ".join(
        f"{{ [ -S {socket} ] || {{ echo '{socket} is missing; run {pages} first'; false; }}; }}"
        for socket, pages in _SOCKETS.items()
    )


def may_store() -> str:
    """Shell: succeeds if the API's role may store an intake, or if the table for intakes does not exist yet.

    A host of an earlier release lacks the migration: its API must not change its role before.
    """
    right = "coalesce(has_table_privilege('motorcade_api', to_regclass('app.intake_jobs'), 'INSERT'), true)"
    granted = database.expect(f"SELECT {right}", "t", "motorcade")
    return f"{{ {granted}; }} || {{ echo 'run deploys/plat_03.py deploys/leadgen_02.py first'; false; }}"


def healthy(dependency: str) -> str:
    """Shell: succeeds if health calls a dependency ok, and otherwise prints health."""
    return (
        f'found=$(curl --silent --show-error --fail --max-time 5 http://{ADDRESS}/lead/health) && case "$found" in'
        f' *\'"{dependency}": "ok"\'*) ;; *) echo "$found"; false ;; esac'
    )


def seconds_of(percent: int) -> str:
    """A CPU quota as `systemctl show` prints it: 150 -> `1.500000s`, 100 -> `1s`."""
    whole, rest = divmod(percent, 100)
    return f"{whole}.{rest * 10000:06}s" if rest else f"{whole}s"


def podman_options(unit: str) -> Iterator[str]:
    """Options that give a container of `podman run` the secrets, settings and files of this unit's container."""
    settings: list[linter.Setting] = []
    linter.parse("", unit, settings)
    for setting in settings:
        if setting.section == "Container" and setting.key in _OPTIONS:
            yield f"{_OPTIONS[setting.key]} {quote(setting.value)}"


def values(page: "Page", service: str, built: Image) -> dict[str, Any]:
    """The values of a service's unit templates."""
    settings = page.settings.of(Intake)
    redis_user = REDIS_USERS.get(service, "")
    return {
        "page": page.id,
        "service": f"leadgen-{service}",
        "image": built.tag,
        "user": USER,
        "database_role": DATABASE_ROLES[service],
        "database_cipher": secrets.fingerprint(page.settings, database_secret(service)),
        "database_sockets": database.SOCKETS,
        "redis_user": redis_user,
        "redis_sockets": REDIS_SOCKETS,
        "redis_cipher": secrets.fingerprint(page.settings, redis_secret(service)) if redis_user else "",
        "edge_host": page.settings.of(Edge).edge_host,
        "states": settings.leadgen_states,
        "site_default_state": settings.leadgen_site_default_state,
        "workers": settings.leadgen_workers,
        # Only one of them reads the key, and a page without it needs no such secret.
        "erasure_cipher": secrets.fingerprint(page.settings, ERASURE_KEY) if service == "sweeper" else "",
        "database_disk": database_disk(host.groups),
    }


def database_secret(service: str) -> str:
    """The secret with the password of a service's role in the database."""
    return f"postgres-{DATABASE_ROLES[service]}"


def redis_secret(service: str) -> str:
    """The secret with the password of a service's user in Redis."""
    return f"redis-{REDIS_USERS[service]}"


def database_disk(groups: Collection[str]) -> str:
    """The directory that shows the free space of PostgreSQL's disk; empty on a host without PostgreSQL."""
    return database.DISK if "database" in members(groups) else ""


def measures(disk: str) -> str:
    """Shell: succeeds if the directory is on the same file system as the cluster."""
    why = f"{disk} is not on the disk of {database.CLUSTER}; mount that disk at the parent of both"
    return f'[ "$(stat -c %d {disk})" = "$(stat -c %d {database.CLUSTER})" ] || {{ echo "{why}"; false; }}'
