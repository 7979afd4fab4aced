"""A clock for PostgreSQL that a test controls: it is frozen until the test moves it, also backwards."""

from datetime import datetime

from leadgen.store.connection import connect
from tests.conftest import Database

# The application's sessions look here before they look among PostgreSQL's own functions. A default is bound to its
# function when it is made, so that of the queue is made again.
_SCHEMA = """
    CREATE SCHEMA clock;
    CREATE TABLE clock.hand (at timestamptz);
    INSERT INTO clock.hand VALUES (now());
    CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT at FROM clock.hand';
    CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT at FROM clock.hand';
    GRANT USAGE ON SCHEMA clock TO motorcade_api, motorcade_app;
    GRANT SELECT ON clock.hand TO motorcade_api, motorcade_app;
    ALTER TABLE app.intake_queue ALTER available_at SET DEFAULT clock.clock_timestamp();
"""


class FakeClock:
    """The time of all sessions of the application that begin after this was made."""

    def __init__(self, database: Database) -> None:
        self._connection = connect(database.superuser_url, "tests")
        self._connection.execute(_SCHEMA)
        for role in ("motorcade_api", "motorcade_app"):
            self._connection.execute(
                f"ALTER ROLE {role} IN DATABASE {database.name} SET search_path = clock, pg_catalog"
            )

    def set(self, now: datetime) -> None:
        self._connection.execute("UPDATE clock.hand SET at = %s", [now])

    def close(self) -> None:
        self._connection.close()
