"""Health for people and dashboards, readiness for load balancers and deploys."""

from flask import Blueprint, Response, json

from leadgen.api.problems import unavailable
from leadgen.api.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def get_health() -> Response:
    """Answer 200 while the process is running; the body lists what works and what does not."""
    here = services()
    side = here.database_side()
    now = side.backlog
    dependencies = {
        "postgres": side.postgres,
        **here.doorbell.status(),
        "sweeper": side.sweeper,
        "api_keys": "degraded" if here.keys.faults else "ok",
    }
    document = {
        "status": "ok" if set(dependencies.values()) == {"ok"} and not side.stuck else "degraded",
        "release": here.config.release,
        "dependencies": dependencies,
        "fault": side.obstacle and side.obstacle.fault,
        "backlog": now and now.waiting,
        "oldest_seconds": now and round(now.oldest_age_seconds, 3),
        "dead": now and now.dead,
    }
    return Response(json.dumps(document) + "\n", mimetype="application/json")


@blueprint.get("/ready")
def get_ready() -> Response:
    """Answer 200 only if a lead can be committed now, or could within the last second; otherwise say why not."""
    here = services()
    if here.stopping:
        raise unavailable("This process is shutting down.")
    if obstacle := here.database_side().obstacle:
        raise unavailable(obstacle.detail)
    return Response('{"status": "ready"}\n', mimetype="application/json")
