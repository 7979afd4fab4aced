"""The wire format of a submission: its fields, their rules, and the check of a whole document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from marshmallow import ValidationError

from leadgen.api.fields import (
    Choice,
    Count,
    Day,
    Email,
    Flag,
    Instant,
    Line,
    MaybeBlankLine,
    Part,
    Phone,
    Section,
    Sections,
    Text,
)
from leadgen.api.problems import Problem
from leadgen.config import STATES
from leadgen.domain import service_area

CHANNELS: Final = ("email", "phone", "sms")
SERVICES: Final = (
    "executive_protection",
    "armed_security",
    "unarmed_security",
    "event_security",
    "mobile_patrol",
    "secure_transport",
    "risk_assessment",
    "other",
)
TIMELINES: Final = ("immediately", "within_a_week", "within_a_month", "within_a_quarter", "planning")

_MOST_CONSENTS: Final = 10
_MOST_ERRORS: Final = 100  # a body of 64 KiB has room for thousands, which are of no use to a reader


class Contact(Part):
    """The person, and how to reply."""

    name = Line(most=200, description="The name of the person.", examples=["Maria Lopez"])
    email = Email(description="Needed if there is no phone.", examples=["maria.lopez@example.com"])
    phone = Phone(
        description="Needed if there is no email. A number without a leading + is read as a US number.",
        examples=["(512) 555-0142"],
    )
    preferred_channel = Choice(
        *CHANNELS, description="How to reply; needs the matching email or phone.", examples=["email"]
    )

    rule: ClassVar = {
        "anyOf": [
            {"required": ["email"], "properties": {"preferred_channel": {"const": "email"}}},
            {"required": ["phone"], "properties": {"preferred_channel": {"enum": ["phone", "sms"]}}},
        ]
    }

    def check(self, members: dict[str, Any]) -> None:
        if "email" not in members and "phone" not in members:
            raise ValidationError("unreachable: At least one of email and phone is required.")
        if ("email" if members["preferred_channel"] == "email" else "phone") not in members:
            raise ValidationError(
                {"preferred_channel": ["unreachable: This channel needs an email address or a phone number."]}
            )


class Location(Part):
    """Where the service is needed."""

    city = Line(most=100, examples=["Austin"])
    state = Choice(*sorted(STATES), description="A US state, as its two-letter code in capitals.", examples=["TX"])
    postal_code = Text(
        r"[0-9]{5}(-[0-9]{4})?",
        "This must be a ZIP code like 78701 or 78701-1234.",
        most=10,
        description="A ZIP code, with or without the four-digit extension.",
        examples=["78701"],
    )


class Wish(Part):
    """The requested service."""

    service = Choice(*SERVICES, examples=["event_security"])
    timeline = Choice(*TIMELINES, description="How soon the service is needed.", examples=["within_a_month"])
    location = Section(Location)
    details = Text(
        r"[\s\S]*\S[\s\S]*",
        "This must not be blank.",
        most=5_000,
        description="The request in the person's own words.",
        examples=["A product launch for 200 guests, one evening."],
    )
    starts_on = Day(required=False, description="The first day of service.", examples=["2026-03-14"])
    headcount = Count(
        most=100_000, required=False, description="The number of people to protect or host.", examples=[200]
    )


class Attribution(Part):
    """Where the person came from, as reported by the browser; every field may be empty or missing."""

    page_url = MaybeBlankLine(most=2_048, examples=["https://motorcade.vip/contact"])
    referrer = MaybeBlankLine(most=2_048, examples=["https://www.google.com/"])
    utm_source = MaybeBlankLine(most=200, examples=["google"])
    utm_medium = MaybeBlankLine(most=200, examples=["cpc"])
    utm_campaign = MaybeBlankLine(most=200, examples=["spring-events"])
    utm_term = MaybeBlankLine(most=200, examples=["event security austin"])
    utm_content = MaybeBlankLine(most=200, examples=["banner-a"])


class Consent(Part):
    """Evidence of what a person agreed to or refused; stored as sent and never changed."""

    channel = Choice(*CHANNELS, examples=["sms"])
    granted = Flag(examples=[True])
    text_version = Line(most=100, description="The version of the text shown to the person.", examples=["2026-01"])
    text_sha256 = Text(
        r"[0-9a-f]{64}",
        "This must be a SHA-256 digest of 64 lowercase hex digits.",
        most=64,
        description="The SHA-256 digest of the text shown to the person.",
        examples=["5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"],
    )
    at = Instant(description="When the person decided.", examples=["2026-01-28T15:04:05-06:00"])
    page_url = Text(
        r"https?://[^\s\x00-\x1f\x7f]+",
        "This must be a URL that starts with http:// or https://.",
        most=2_048,
        description="The page that showed the text.",
        examples=["https://motorcade.vip/contact"],
    )


class Submission(Part):
    """The body of POST /intake."""

    contact = Section(Contact)
    request = Section(Wish)
    attribution = Section(Attribution, required=False)
    consent = Sections(
        Consent, most=_MOST_CONSENTS, description="What the person agreed to or refused, and the text they saw."
    )


PARTS: Final = (Contact, Location, Wish, Attribution, Consent, Submission)


@dataclass(frozen=True, slots=True)
class Validated:
    """The values derived from a valid submission: addresses in their normal form."""

    email: str | None
    phone_e164: str | None


_submission: Final = Submission()


def validate(document: dict[str, Any], served: frozenset[str]) -> Validated:
    """Check a parsed body. Raises Problem: `validation-failed` with every fault, or `outside-service-area`."""
    try:
        submission = _submission.read(document)
    except (KeyError, ValidationError):
        submission = _load(document)
    try:
        service_area.check(submission["request"]["location"]["state"], served)
    except service_area.OutsideServiceArea as error:
        raise Problem("outside-service-area", str(error), served_states=error.served) from None
    contact = submission["contact"]
    return Validated(contact.get("email"), contact.get("phone"))


def _load(document: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = _submission.load(document)
    except ValidationError as error:
        errors = list(_errors("", error.messages_dict))[:_MOST_ERRORS]
        raise Problem("validation-failed", errors=errors) from None
    return loaded


def _errors(pointer: str, messages: dict[Any, Any] | list[str]) -> Iterator[dict[str, str]]:
    """Turn marshmallow's nested messages into errors with RFC 6901 pointers."""
    if isinstance(messages, list):
        for message in messages:
            code, _, detail = message.partition(": ")
            yield {"pointer": pointer, "code": code, "detail": detail}
        return
    for member, inner in messages.items():
        step = "" if member == "_schema" else "/" + str(member).replace("~", "~0").replace("/", "~1")
        yield from _errors(pointer + step, inner)
