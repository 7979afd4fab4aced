"""The services that a lead can ask for; the API, the form and the site share this list."""

from typing import Final

SERVICE_TYPES: Final = (
    "armed_security",
    "executive_protection",
    "rapid_response_support",
    "armed_escort_driver",
    "armed_delivery",
    "event_security",
    "ep_transport",
    "ep_escort",
    "unarmed_support",
    "mobile_patrol",
    "security_consulting",
    "risk_assessment",
    "other",
)
# Contract v1 names armed_delivery, so it is accepted; the company does not offer it, so no form shows it.
OFFERED: Final = tuple(service for service in SERVICE_TYPES if service != "armed_delivery")
