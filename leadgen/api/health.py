"""Health for people and dashboards, readiness for load balancers and deploys."""

from datetime import UTC, datetime

from flask import Blueprint, Response, json, request

from leadgen.api.answers import CONTRACT, HEALTH_OUTSIDE, QUEUE, SERVICE
from leadgen.api.intake import SCARCE
from leadgen.api.problems import unavailable
from leadgen.api.services import services
from leadgen.api.this_request import utc_text

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def get_health() -> Response:
    """Answer 200 while the process is running; the body lists what works and what does not.

    Through the edge it has no release, fault or backlog, which help only an attacker there.
    """
    here = services()
    side = here.database_side()
    now = side.backlog
    dependencies = {
        "postgres": side.postgres,
        **here.doorbell.status(),
        "sweeper": side.sweeper,
        "api_keys": "degraded" if here.keys.faults else "ok",
    }
    fault = side.obstacle.fault if side.obstacle else "disk nearly full" if here.disk_is_scarce() else None
    document = {
        "status": "ok" if set(dependencies.values()) == {"ok"} and not (side.stuck or fault) else "degraded",
        **_version(here.config.release),
        "queue": QUEUE,
        "db": side.postgres,
        "time_utc": utc_text(datetime.now(UTC)),
        "dependencies": dependencies,
        "fault": fault,
        "backlog": now and now.waiting,
        "oldest_seconds": now and round(now.oldest_age_seconds, 3),
        "dead": now and now.dead,
    }
    # The edge sets this header; without the edge, a caller is on the host.
    if "X-Forwarded-For" in request.headers:
        document = {member: document[member] for member in HEALTH_OUTSIDE}
    return Response(json.dumps(document) + "\n", mimetype="application/json")


@blueprint.get("/version")
def get_version() -> Response:
    """Name the service, the contract and the release."""
    return Response(json.dumps(_version(services().config.release)) + "\n", mimetype="application/json")


@blueprint.get("/ready")
def get_ready() -> Response:
    """Answer 200 only if a lead can be committed now, or could within the last second; otherwise say why not."""
    here = services()
    if here.stopping:
        raise unavailable("This process is shutting down.")
    if here.disk_is_scarce():
        raise unavailable(SCARCE)
    if obstacle := here.database_side().obstacle:
        raise unavailable(obstacle.detail)
    return Response('{"status": "ready"}\n', mimetype="application/json")


def _version(release: str) -> dict[str, str]:
    return {"service": SERVICE, "version": CONTRACT, "release": release}
