"""A Flask application with one route that does nothing: what the server and the framework cost by themselves."""

from types import SimpleNamespace
from typing import cast

from flask import Flask

from leadgen.api.services import Services, install


def make() -> Flask:
    """For gunicorn with our settings, whose worker notifies the application's services when it stops."""
    app = Flask("tests.bench.empty", static_folder=None)
    install(app, cast("Services", SimpleNamespace(stopping=False, close=lambda: None)))

    @app.post("/lead/intake")
    def post_intake() -> tuple[str, int]:
        return "", 202

    return app
