"""The database roles, created from roles.sql; the server sees their passwords only as SCRAM verifiers."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from psycopg import sql

from leadgen.store.connection import Connection
from leadgen.store.queries import load

_SQL: Final = load("roles")

ROLES: Final = ("motorcade_owner", "motorcade_api", "motorcade_app", "motorcade_ro")


def create_roles(superuser: Connection, passwords: Mapping[str, str]) -> None:
    """Create the missing roles, grant their privileges on this database, and set the given passwords."""
    text = (files("leadgen.store") / "roles.sql").read_text(encoding="utf-8")
    superuser.execute(text)
    for role, password in passwords.items():
        verifier = superuser.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        superuser.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
        )


def missing_roles(connection: Connection) -> list[str]:
    """The roles that this database server lacks."""
    return [role for (role,) in connection.execute(_SQL["find_missing"], [list(ROLES)])]
