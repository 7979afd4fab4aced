"""The dev profile's database on its own PostgreSQL, migrated at every start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leadgen.dev.postgres import DATABASE, EmbeddedPostgres
from leadgen.store.connection import connect
from leadgen.store.migrations import migrate
from leadgen.store.roles import create_roles


@dataclass(frozen=True, slots=True)
class Urls:
    owner: str
    api: str
    app: str


def prepare_database(
    server: EmbeddedPostgres, passwords: Mapping[str, str], report: Callable[[str], None]
) -> Urls:
    """Create the missing roles and apply the pending migrations."""
    with connect(server.superuser_url, "dev") as superuser:
        create_roles(superuser, passwords)
    owner, api, app = (
        server.url(DATABASE, f"motorcade_{role}", passwords[f"motorcade_{role}"])
        for role in ("owner", "api", "app")
    )
    migrate(owner, report=report)
    return Urls(owner, api, app)
