"""Health for people and dashboards, readiness for whoever sends traffic."""

from flask import Blueprint, Response, json

from leadgen.api.problems import unavailable
from leadgen.api.services import Services, services
from leadgen.errors import DatabaseUnavailable, UnsafeDurability
from leadgen.store import heartbeats
from leadgen.store.connection import assert_durable
from leadgen.store.queue import Backlog, backlog

blueprint = Blueprint("health", __name__)

SWEEPER_SILENT_SECONDS = 30  # three of its beats
STUCK_SECONDS = 10  # a queued intake this old means that nobody drains: the sweeper alone needs two


@blueprint.get("/health")
def get_health() -> Response:
    """Answer 200 while the process serves; the body names what works and what does not."""
    here = services()
    postgres, now, sweeper = _database_side(here)
    dependencies = {
        "postgres": postgres,
        **here.doorbell.status(),
        "sweeper": sweeper,
        "api_keys": "ok" if here.keys.healthy else "degraded",
    }
    stuck = now is None or now.oldest_age_seconds > STUCK_SECONDS
    document = {
        "status": "ok" if set(dependencies.values()) == {"ok"} and not stuck else "degraded",
        "release": here.config.release,
        "dependencies": dependencies,
        "backlog": now and now.waiting,
        "oldest_seconds": now and round(now.oldest_age_seconds, 3),
        "dead": now and now.dead,
    }
    return Response(json.dumps(document) + "\n", mimetype="application/json")


@blueprint.get("/ready")
def get_ready() -> Response:
    """Answer 200 only if a lead could be committed at this moment: the probe is a real, durable write."""
    here = services()
    if here.stopping:
        raise unavailable("This process is shutting down.")
    try:
        with here.database.connection() as connection:
            assert_durable(connection)
            heartbeats.beat(connection, "api", here.config.release)
    except UnsafeDurability as error:
        raise unavailable("The database may lose a commit.") from error
    return Response('{"status": "ready"}\n', mimetype="application/json")


def _database_side(here: Services) -> tuple[str, Backlog | None, str]:
    """State of PostgreSQL, the backlog, and the state of the sweeper, which is known only through PostgreSQL."""
    try:
        with here.database.connection() as connection:
            age = heartbeats.get_ages(connection).get("sweeper")
            alive = age is not None and age < SWEEPER_SILENT_SECONDS
            return "ok", backlog(connection), "ok" if alive else "down"
    except DatabaseUnavailable:
        return "down", None, "unknown"
