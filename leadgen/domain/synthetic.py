"""Synthetic leads: what a probe submits to see the whole path work, told from a person's by two marks."""

from collections.abc import Mapping
from typing import Any, Final

# Both marks are written into app.remove_synthetic(), too: it removes nothing that lacks one of them.
CLIENT_ID: Final = "motorcade-probe"
NAME: Final = "Motorcade Synthetic"  # what the contact's name starts with

# Valid in every release; the address belongs to nobody (RFC 2606).
DOCUMENT: Final[Mapping[str, Any]] = {
    "contact": {"name": f"{NAME} probe", "email": "probe@example.com", "preferred_channel": "email"},
    "request": {
        "service": "executive_protection",
        "timeline": "within_a_week",
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "details": "Not a person's request: a probe of the intake.",
    },
}
