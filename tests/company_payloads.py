"""The bodies that the company's own callers send, typed again from its published playbooks and guides."""

from typing import Any

Json = dict[str, Any]

# The end-to-end check of the outbox (LEADGEN_07B, LEADGEN_07C).
OUTBOX_CHECK: Json = {
    "contact": {
        "full_name": "E2E Outbox Check",
        "company": "Motorcade Infra",
        "email": "e2e@example.com",
        "phone": "+1-512-555-0100",
        "preferred_contact_method": "email",
    },
    "request": {
        "service_type": "armed_security",
        "timeline": {"start_local": "2026-02-01T09:00:00", "end_local": "2026-02-01T21:00:00"},
        "location": {"state": "TX", "street": "100 Congress Ave", "city": "Austin", "postal_code": "78701"},
        "site_type": "commercial",
        "notes": "Outbox end-to-end check",
        "expected_hours": 12,
        "recurrence": "one_time",
    },
    "context": {
        "lead_source": "motorcade.vip",
        "referrer_url": "https://motorcade.vip/",
        "utm": {"source": "e2e", "medium": "ansible", "campaign": "leadgen_07c"},
    },
}

# The smoke test of the first deploys (LEADGEN_05, LEADGEN_07): members that contract v1 does not name.
SMOKE: Json = {
    "contact": {"full_name": "Smoke Test", "email": "smoke@example.com", "phone": "5125550100"},
    "request": {
        "service_type": "event_security",
        "timeline": {"mode": "flexible"},
        "location": {"state": "TX", "city": "Austin"},
        "service_state": "TX",
        "service_city": "Austin",
        "requested_start_utc": "2026-02-01T15:00:00Z",
        "notes": "Smoke test",
    },
}
SMOKE_IGNORED = ["request.requested_start_utc", "request.service_city", "request.service_state"]

# The check of the service area (LEADGEN_06): nobody could answer it.
TEXAS_CHECK: Json = {
    "contact": {"full_name": "Texas Check"},
    "request": {
        "service_type": "armed_security",
        "timeline": {"start_local": "2026-02-01T09:00:00"},
        "location": {"state": "TX"},
    },
}
OUTSIDE_TEXAS: Json = {
    "contact": {"full_name": "Texas Check", "email": "check@example.com"},
    "request": {
        "service_type": "armed_security",
        "timeline": {"start_local": "2026-02-01T09:00:00"},
        "location": {"state": "OK"},
    },
}

# What the static site's two forms post to /api/lead-intake.
CONTACT_FORM: Json = {
    "email": "visitor@example.com",
    "full_name": "Site Visitor",
    "phone": "",
    "service_type": "Executive Protection",
    "intake_type": "contact",
    "source_page": "/contact.html",
    "message": "Please call me about a visit in March.",
    "consent_contact": "on",
}
ASSESSMENT_FORM: Json = {
    "email": "owner@example.com",
    "name": "Plant Owner",
    "company": "Example Plant",
    "service_type": "security assessment",
    "intake_type": "security_assessment",
    "source_page": "/security-assessment.html",
    "property_type": "warehouse",
    "concerns": ["theft", "access"],
    "employees": 40,
}
