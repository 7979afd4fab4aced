"""The application that gunicorn serves, with its real doorbell, created in each worker process after the fork."""

from flask import Flask

from leadgen.api import metrics
from leadgen.api.app import create_app
from leadgen.api.services import services_of
from leadgen.config import load
from leadgen.jobs.doorbell import RedisDoorbell
from leadgen.store.queue import notify


def make() -> Flask:
    """Create the application from this process's settings. Raises ConfigError and KeyFileError."""
    config = load("database_url", "redis_url", "api_keys_file")

    def wake_sweeper() -> None:
        with services_of(app).database.connection() as connection:
            notify(connection)

    app = create_app(config, RedisDoorbell(config.redis_url, wake_sweeper, metrics.doorbell_failures.inc))
    if config.profile == "dev":
        from leadgen.dev.form import form_blueprint  # noqa: PLC0415 - production never loads the dev profile

        app.register_blueprint(form_blueprint(config))
    return app
