"""Alerts: a check of the host every minute, and messages to people about what it finds."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan.entry import GROUPS
from deploys.kit.plan.service import Secret, Service


@dataclass(frozen=True)
class Alerts:
    """Its settings. A channel without an address is not used."""

    alerts_webhook_url: str | None
    alerts_smtp_url: str | None
    alerts_mail_from: str | None
    alerts_mail_to: str | None
    alerts_ntfy_url: str | None
    alerts_dead_man_url: str | None
    alerts_ca_file: str | None
    alerts_repeat_minutes: int
    alerts_queue_seconds: int
    alerts_expiry_days: int
    alerts_expiry_urgent_days: int
    alerts_clock_seconds: int
    alerts_run_minutes: int


WEBHOOK: Final = "alerts-webhook"
SMTP: Final = "alerts-smtp"
NTFY: Final = "alerts-ntfy"

ALERTS: Final[Service[None]] = Service(
    "alerts",
    GROUPS,
    ("backup", "leadgen", "nginx"),
    settings=Alerts,
    secrets=(
        Secret(
            WEBHOOK,
            32,
            ("PLAT_09",),
            "openssl rand -base64 32",
            about="It signs the webhook; the receiver wants it as `whsec_` and this value.",
            optional=True,
        ),
        Secret(SMTP, 8, ("PLAT_09",), "the mail provider", about="The login, as `user:password`.", optional=True),
        Secret(NTFY, 24, ("PLAT_09",), "the ntfy server", about="An access token for the topic.", optional=True),
    ),
    processes={"alerts": "alerts-notify"},
)
