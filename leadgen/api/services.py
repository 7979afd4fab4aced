"""The services that the views use, created once per process by create_app."""

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast

from flask import Flask, current_app

from leadgen.api.auth import KeyFile
from leadgen.api.disk_space import is_scarce
from leadgen.api.probes import CachedAnswer, DatabaseSide, look
from leadgen.config import Config
from leadgen.domain.quota import Quota, Quotas
from leadgen.jobs.protocol import Doorbell
from leadgen.store.connection import Database
from leadgen.store.intake_writer import IntakeWriter
from leadgen.store.migrations import required

_NAME: Final = "leadgen"


@dataclass(slots=True)
class Services:
    """The parts of one API process. `stopping` is set once it received the signal to stop."""

    config: Config
    keys: KeyFile
    database: Database
    writer: IntakeWriter
    doorbell: Doorbell
    stopping: bool = False
    database_side: CachedAnswer[DatabaseSide] = field(init=False)
    disk_is_scarce: CachedAnswer[bool] = field(init=False)
    quotas: Quotas = field(init=False)

    def __post_init__(self) -> None:
        self.database_side = CachedAnswer(
            partial(
                look, self.database, required(), copies=self.config.database_copies, release=self.config.release
            )
        )
        self.disk_is_scarce = CachedAnswer(partial(is_scarce, self.config.database_disk))
        limits = self.config
        quota = Quota(
            limits.client_rate, limits.client_burst, limits.client_daily_leads, limits.client_daily_bytes
        )
        self.quotas = Quotas(quota, time.time)

    def close(self) -> None:
        """Commit what is waiting, ring the doorbell for it, then close all connections."""
        self.writer.close()
        self.doorbell.close()
        self.database.close()


def install(app: Flask, services: Services) -> None:
    """Give the app its services."""
    app.extensions[_NAME] = services


def services_of(app: Flask) -> Services:
    return cast("Services", app.extensions[_NAME])


def services() -> Services:
    """The services of the app that handles the current request."""
    return services_of(current_app)
