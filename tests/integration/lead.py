"""The lead that most tests of the API send."""

from typing import Any

LEAD: dict[str, Any] = {
    "contact": {"full_name": "Ann Example", "email": "ann@example.com", "preferred_contact_method": "email"},
    "request": {
        "service_type": "executive_protection",
        "timeline": {"mode": "within_a_week"},
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "notes": "Two days, one principal.",
    },
}
