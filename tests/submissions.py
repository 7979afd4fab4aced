"""Submissions for tests: one that is valid, and a strategy for many that are valid or nearly so."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st
from marshmallow import Schema

from leadgen.api.fields import Count, Day, Section
from leadgen.api.schemas import CHANNELS, SERVICES, TIMELINES, Attribution, Submission, Wish

Json = dict[str, Any]


def completed(part: Schema, given: Json) -> Json:
    """What is given, and each other member of the form by the example that the schema shows of it."""
    return {
        name: completed(field.schema, given[name])
        if isinstance(field, Section) and field.required
        else (given[name] if name in given else field.metadata["examples"][0])
        for name, field in part.fields.items()
    }


VALID: Json = completed(
    Submission(),
    {
        "contact": {"email": "Maria.Lopez@Example.COM"},
        "request": {"location": {"state": "TX"}, "details": "A product launch.\nOne evening."},
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
    },
)

PHONES = st.from_regex(r"(\+?1[ .-]?)?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40).filter(str.strip)
# By the kind of a member: right values, and some just beyond.
OPTIONAL: dict[type, Callable[[Any], st.SearchStrategy[object]]] = {
    Day: lambda _: st.dates().map(date.isoformat),
    Count: lambda field: st.integers(-10, field.metadata["maximum"] + 10),
}
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
            name: OPTIONAL[type(field)](field) for name, field in Wish().fields.items() if not field.required
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "attribution": st.dictionaries(st.sampled_from([*Attribution().fields]), LINES),
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
