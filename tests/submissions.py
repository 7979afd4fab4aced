"""Submissions for tests: one that is valid, and strategies for those that a person could answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from marshmallow import Schema

from leadgen.api.fields import Answers, Choice, Count, Value
from leadgen.api.parts import Section, Sections
from leadgen.api.schemas import CONSENT_CHANNELS, Submission
from leadgen.domain import plain_text

Json = dict[str, Any]


def completed(part: Schema, given: Json) -> Json:
    """What is given, and each other member of the form by the example that the schema shows of it."""
    return {
        name: completed(field.schema, given.get(name, {}))
        if isinstance(field, Section)
        else (given[name] if name in given else field.metadata["examples"][0])
        for name, field in part.fields.items()
    }


VALID: Json = completed(
    Submission(),
    {
        "contact": {"email": "Maria.Lopez@Example.COM"},
        "request": {"location": {"state": "TX"}, "notes": "A product launch.\nOne evening."},
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
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40).filter(
    lambda text: plain_text.clean(text)[0]
)
# Everything that a JSON string can hold: unassigned characters, bidi marks, NUL, half surrogates.
ANY_TEXT = st.text(st.characters(), max_size=60)
NASTY = st.one_of(
    ANY_TEXT,
    st.sampled_from(
        ["", " ", "\u200b", "\u2800\u3164\u00ad", "\u202eevil", "\x1b[31m", "a\0b", "\ud83d", "\u0085\u2028\r\n"]
    ),
    st.text("é\u0301\u200d👩‍👧🏽ﷺ\u0e47", max_size=200),
)
ANY_VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**63, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NASTY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)
# What the members of a submission mean when they are right, and some just beyond.
RIGHT: dict[type, Callable[[Any], st.SearchStrategy[object]]] = {
    Choice: lambda field: st.sampled_from(field.metadata["enum"]),
    Count: lambda field: st.integers(-10, field.metadata["maximum"] + 10),
    Answers: lambda _: st.dictionaries(
        LINES, LINES | st.integers(-9, 9) | st.lists(LINES, max_size=3), max_size=5
    ),
}
CONSENTS = st.fixed_dictionaries(
    {
        "channel": st.sampled_from(CONSENT_CHANNELS),
        "granted": st.booleans(),
        "text_version": LINES,
        "text_sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
        "at": st.datetimes(timezones=st.timezones() | st.just(UTC)).map(datetime.isoformat),
        "page_url": st.just("https://motorcade.vip/contact"),
    }
)
NEEDED = {"full_name", "email", "service_type", "state"}  # with these a person can answer


def needed() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "full_name": LINES.filter(lambda name: any(map(str.isalnum, name))),
        "email": st.emails(domains=st.just("example.com")),
        "service_type": st.sampled_from(["event_security", "Event Security", "OTHER", "mobile-patrol"]),
        "state": st.sampled_from(["TX", "tx", "Texas", " Texas\u00a0"]),
    }


def bodies(part: Schema, optional: Callable[[Any], st.SearchStrategy[Any]]) -> st.SearchStrategy[Json]:
    """Bodies with all that is needed; `optional` draws the other members, each of which may be missing."""
    parts: dict[str, Any] = dict(part.fields)
    return st.fixed_dictionaries(
        {
            name: needed()[name] if name in NEEDED else bodies(field.schema, optional)
            for name, field in parts.items()
            if name in NEEDED or _leads_to_needed(field)
        },
        optional={
            name: optional(field)
            for name, field in parts.items()
            if name not in NEEDED and not _leads_to_needed(field)
        },
    )


def _leads_to_needed(field: object) -> bool:
    return isinstance(field, Section) and any(
        name in NEEDED or _leads_to_needed(inner) for name, inner in field.schema.fields.items()
    )


def _right(field: object) -> st.SearchStrategy[Any]:
    if isinstance(field, Section):
        return bodies(field.schema, _right)
    if isinstance(field, Sections):
        return st.lists(CONSENTS, max_size=11)
    if isinstance(field, Value):
        return RIGHT.get(type(field), lambda _: LINES)(field)
    raise TypeError(field)


SUBMISSIONS = bodies(Submission(), _right)
# A name, an address, a state and a service, and whatever else can be sent: at every place, and in unknown members.
ANSWERABLE = bodies(Submission(), lambda _: ANY_VALUE)
