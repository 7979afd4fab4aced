"""The lead that most tests of the API send."""

from typing import Any

LEAD: dict[str, Any] = {
    "contact": {"name": "Ann Example", "email": "ann@example.com", "preferred_channel": "email"},
    "request": {
        "service": "executive_protection",
        "timeline": "within_a_week",
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "details": "Two days, one principal.",
    },
}
