"""The Flask application: the routes under /lead, and what every answer has in common."""

from flask import Flask, Response, g

from leadgen.api import health, intake, metrics, pages, problems
from leadgen.api.auth import KeyFile
from leadgen.api.body import discard_rest
from leadgen.api.services import Services, install
from leadgen.config import Config
from leadgen.domain.intake_id import uuid7
from leadgen.jobs.protocol import Doorbell
from leadgen.store.connection import Database
from leadgen.store.intake_writer import IntakeWriter


def create_app(config: Config, doorbell: Doorbell) -> Flask:
    """Make the application of one process; call it after fork, as it opens connections.

    Raises KeyFileError when the API keys cannot be used. A database that is away is no error here: requests are
    answered 503 until it is back.
    """
    app = Flask("leadgen.api", static_folder=None)
    database = Database(config.database_url, "api")
    install(
        app,
        Services(
            config=config,
            keys=KeyFile(config.api_keys_file),
            database=database,
            writer=IntakeWriter(config.database_url, observe=metrics.flushed_rows.observe),
            doorbell=doorbell,
        ),
    )
    problems.register(app, config.public_url)
    app.before_request(_name_request)
    metrics.register(app)
    app.after_request(_add_headers)
    app.after_request(discard_rest)
    app.register_blueprint(intake.blueprint, url_prefix="/lead")
    app.register_blueprint(health.blueprint, url_prefix="/lead")
    app.register_blueprint(pages.blueprint, url_prefix="/lead")
    return app


def _name_request() -> None:
    g.request_id = uuid7()


def _add_headers(response: Response) -> Response:
    response.headers["X-Request-Id"] = str(g.request_id)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
