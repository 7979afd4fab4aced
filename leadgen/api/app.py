"""The Flask application: the routes under /lead, and what all responses have in common."""

from http import HTTPStatus
from time import perf_counter

from flask import Flask, Response

from leadgen.api import health, intake, metrics, pages, problems
from leadgen.api.auth import KeyFile
from leadgen.api.body import discard_rest
from leadgen.api.intake_middleware import IntakeMiddleware
from leadgen.api.services import Services, install
from leadgen.api.this_request import NamedRequest, common_headers, this_request
from leadgen.config import Config
from leadgen.jobs.protocol import Doorbell
from leadgen.store.connection import Database
from leadgen.store.intake_writer import IntakeWriter


def create_app(config: Config, doorbell: Doorbell) -> Flask:
    """Create the application of one process; call it after fork, because it opens connections.

    Raises KeyFileError when the API keys cannot be used. A database that is down is not an error here: requests
    are answered 503 until it is back.
    """
    app = _App("leadgen.api", static_folder=None)
    services = Services(
        config=config,
        keys=KeyFile(config.api_keys_file),
        database=Database(config.database_url, "api"),
        writer=IntakeWriter(
            config.database_url, copies=config.database_copies, observe=metrics.flushed_rows.observe
        ),
        doorbell=doorbell,
    )
    install(app, services)
    problems.register(app, config.public_url)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(intake.blueprint, url_prefix="/lead")
    app.register_blueprint(health.blueprint, url_prefix="/lead")
    app.register_blueprint(pages.blueprint, url_prefix="/lead")
    app.wsgi_app = IntakeMiddleware(app.wsgi_app, services)  # type: ignore[method-assign] # as Flask's manual does
    return app


class _App(Flask):
    """Adds what all responses have in common."""

    request_class = NamedRequest

    def process_response(self, response: Response) -> Response:
        response = super().process_response(response)
        request = this_request()
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            discard_rest(request.environ)
        metrics.count(request.endpoint or "none", response.status_code, perf_counter() - request.started)
        for name, text in common_headers(request.id):
            response.headers.setdefault(name, text)
        return response
