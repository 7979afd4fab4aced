"""Synthetic leads, which probes submit to test the whole path; two marks distinguish them from real ones."""

from collections.abc import Mapping
from typing import Any, Final

# app.remove_synthetic() contains both marks, too: it removes only leads that have both.
CLIENT_ID: Final = "motorcade-probe"
NAME: Final = "Motorcade Synthetic"  # what the contact's name starts with

# The domain is reserved (RFC 2606).
DOCUMENT: Final[Mapping[str, Any]] = {
    "contact": {
        "full_name": f"{NAME} probe",
        "email": "probe@example.com",
        "preferred_contact_method": "email",
    },
    "request": {
        "service_type": "executive_protection",
        "timeline": {"mode": "within_a_week"},
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "notes": "Not a person's request: a probe of the intake.",
    },
}
# The columns of its lead, for a write that no request brings.
LEAD: Final[Mapping[str, Any]] = {
    "full_name": f"{NAME} probe",
    "preferred_contact_method": "email",
    "service_type": "executive_protection",
    "state": "TX",
}
