"""Submissions for tests: one that is valid, and a strategy for many that are valid or nearly so."""

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from leadgen.api.schemas import CHANNELS, SERVICES, TIMELINES

Json = dict[str, Any]

VALID: Json = {
    "contact": {
        "name": "Maria Lopez",
        "email": "Maria.Lopez@Example.COM",
        "phone": "(512) 555-0142",
        "preferred_channel": "email",
    },
    "request": {
        "service": "event_security",
        "timeline": "within_a_month",
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
        "details": "A product launch.\nOne evening.",
        "starts_on": "2026-03-14",
        "headcount": 200,
    },
    "attribution": {"page_url": "https://motorcade.vip/contact", "referrer": "", "utm_source": "google"},
    "consent": [
        {
            "channel": "sms",
            "granted": True,
            "text_version": "2026-01",
            "text_sha256": "0" * 64,
            "at": "2026-01-28T15:04:05.123Z",
            "page_url": "https://motorcade.vip/contact",
        }
    ],
}

PHONES = st.from_regex(r"(\+?1[ .-]?)?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40).filter(str.strip)
SUBMISSIONS = st.builds(
    lambda contact, location, wish, rest: {
        "contact": contact,
        "request": {**wish, "location": location},
        **rest,
    },
    st.fixed_dictionaries(
        {"name": LINES, "email": st.emails(domains=st.just("example.com")), "preferred_channel": st.just("email")},
        optional={"phone": PHONES},
    ),
    st.fixed_dictionaries(
        {"city": LINES, "state": st.just("TX"), "postal_code": st.from_regex(r"[0-9]{5}", fullmatch=True)}
    ),
    st.fixed_dictionaries(
        {"service": st.sampled_from(SERVICES), "timeline": st.sampled_from(TIMELINES), "details": LINES},
        optional={
            "starts_on": st.dates().map(date.isoformat),
            "headcount": st.integers(-10, 100_010),
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "attribution": st.dictionaries(st.sampled_from(["page_url", "utm_source", "referrer"]), LINES),
            "consent": st.lists(
                st.fixed_dictionaries(
                    {
                        "channel": st.sampled_from(CHANNELS),
                        "granted": st.booleans(),
                        "text_version": LINES,
                        "text_sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
                        "at": st.datetimes(timezones=st.timezones() | st.just(UTC)).map(datetime.isoformat),
                        "page_url": st.just("https://motorcade.vip/contact"),
                    }
                ),
                max_size=11,
            ),
        },
    ),
)
