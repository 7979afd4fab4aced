"""Synthetic leads, which probes submit to test the whole path; two marks distinguish them from real ones."""

from collections.abc import Mapping
from typing import Any, Final

# app.remove_synthetic() contains both marks, too: it removes only leads that have both.
CLIENT_ID: Final = "motorcade-probe"
NAME: Final = "Motorcade Synthetic"  # what the contact's name starts with

# Valid in every release; the domain is reserved (RFC 2606).
DOCUMENT: Final[Mapping[str, Any]] = {
    "contact": {"name": f"{NAME} probe", "email": "probe@example.com", "preferred_channel": "email"},
    "request": {
        "service": "executive_protection",
        "timeline": "within_a_week",
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "details": "Not a person's request: a probe of the intake.",
    },
}
