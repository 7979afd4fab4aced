"""The wire format of a submission (contract v1): its fields, and what makes a lead that a person can answer."""

from typing import Any, ClassVar, Final

from leadgen.api.fields import (
    Answers,
    Choice,
    Count,
    Digest,
    Email,
    Flag,
    Instant,
    Moment,
    Phone,
    State,
    Words,
    Zip,
)
from leadgen.api.notes import Notes
from leadgen.api.parts import Part, Section, Sections
from leadgen.domain.service_types import SERVICE_TYPES

CONTACT_METHODS: Final = ("call", "text", "email")
CONSENT_CHANNELS: Final = ("email", "phone", "sms")
TIMELINE_MODES: Final = (
    *("flexible", "immediate", "within_a_week", "within_a_month", "within_a_quarter"),
    *("planning", "ongoing"),
)
SITE_TYPES: Final = ("residential", "commercial", "industrial", "event", "other")
RECURRENCES: Final = ("one_time", "recurring", "ongoing_24_7")
INTAKE_TYPES: Final = ("contact", "security_assessment", "other")
SHORTEST_SHIFT_HOURS: Final = 10  # the company's minimum; a shorter request is a lead all the same
MOST_LEAD_SOURCE: Final = 64

_MOST_CONSENTS: Final = 10
_CUT: Final = "attribution_cut"


class Contact(Part):
    """The person, and how to reply: an email address, a phone number, or both."""

    full_name = Words(most=200, required=True, description="The person's name.", examples=["Maria Lopez"])
    company = Words(most=160, examples=["Lopez Events"])
    email = Email(description="Needed if there is no phone.", examples=["maria.lopez@example.com"])
    phone = Phone(
        description="Needed if there is no email. A US number unless it starts with +; an extension is kept.",
        examples=["(512) 555-0142"],
    )
    preferred_contact_method = Choice(
        *CONTACT_METHODS,
        description="By default `call` if there is a phone number, otherwise `email`.",
        examples=["email"],
    )

    rule: ClassVar = {"anyOf": [{"required": ["email"]}, {"required": ["phone"]}]}

    def check(self, members: dict[str, Any], at: str, notes: Notes) -> None:
        email, phone = members.get("email"), members.get("phone")
        if email is None and phone is None:
            _note_unreachable(at, notes)
        default = "call" if phone else "email"
        chosen = members.get("preferred_contact_method", default)
        if (email if chosen == "email" else phone) is None:
            notes.flags.add("preferred_contact_method_unreachable")
            chosen = default
        members["preferred_contact_method"] = chosen


class Timeline(Part):
    """When the service is needed: a start, or how soon."""

    start_local = Moment(
        description="A date, or a date and time: local to the place, or with a UTC offset.",
        examples=["2026-03-14T18:00"],
    )
    end_local = Moment(examples=["2026-03-14T23:30"])
    mode = Choice(*TIMELINE_MODES, description="Needed if there is no start_local.", examples=["within_a_month"])

    rule: ClassVar = {"anyOf": [{"required": ["start_local"]}, {"required": ["mode"]}]}

    def check(self, members: dict[str, Any], at: str, notes: Notes) -> None:
        if not members.keys() & {"start_local", "mode"}:
            _note_no_timeline(at, notes)


class Location(Part):
    """Where the service is needed."""

    state = State(description="A US state that is served: its two-letter code, or its name.", examples=["TX"])
    street = Words(most=200, examples=["500 E Cesar Chavez St"])
    city = Words(most=100, examples=["Austin"])
    postal_code = Zip(description="A ZIP code, with or without its four-digit extension.", examples=["78701"])


class Wish(Part):
    """The requested service."""

    service_type = Choice(*SERVICE_TYPES, required=True, examples=["event_security"])
    timeline = Section(Timeline)
    location = Section(Location, required=True)
    site_type = Choice(*SITE_TYPES, examples=["event"])
    notes = Words(
        most=5_000,
        keep_lines=True,
        description="The request in the person's own words.",
        examples=["A product launch for 200 guests, one evening."],
    )
    expected_hours = Count(most=168, description="Hours of service, per shift.", examples=[12])
    recurrence = Choice(*RECURRENCES, description="By default `one_time`.", examples=["one_time"])
    headcount = Count(most=100_000, description="The number of people to protect or host.", examples=[200])
    personnel_count = Count(most=1_000, description="The number of officers asked for.", examples=[4])

    def check(self, members: dict[str, Any], at: str, notes: Notes) -> None:
        members.setdefault("recurrence", "one_time")
        if members.get("expected_hours", SHORTEST_SHIFT_HOURS) < SHORTEST_SHIFT_HOURS:
            notes.flags.add("below_minimum_shift")
        if "timeline" not in members and "timeline_unreadable" not in notes.flags:
            _note_no_timeline(f"{at}/timeline", notes)


class Utm(Part):
    """The campaign that brought the person, as the page's address named it."""

    cut = _CUT

    source = Words(most=200, flag=_CUT, examples=["google"])
    medium = Words(most=200, flag=_CUT, examples=["cpc"])
    campaign = Words(most=200, flag=_CUT, examples=["spring-events"])
    term = Words(most=200, flag=_CUT, examples=["event security austin"])
    content = Words(most=200, flag=_CUT, examples=["banner-a"])


class Context(Part):
    """Where the submission comes from, as the page or the sending program reports it."""

    cut = _CUT

    lead_source = Words(
        most=MOST_LEAD_SOURCE,
        flag=_CUT,
        description="The sending system; the header X-Lead-Source wins. By default `unknown`.",
        examples=["motorcade.vip"],
    )
    referrer_url = Words(most=2_048, flag=_CUT, examples=["https://www.google.com/"])
    page_url = Words(most=2_048, flag=_CUT, examples=["https://motorcade.vip/contact"])
    intake_type = Choice(*INTAKE_TYPES, examples=["contact"])
    utm = Section(Utm)


class Consent(Part):
    """Evidence of what a person agreed to or refused; stored once and never changed."""

    channel = Choice(*CONSENT_CHANNELS, required=True, examples=["sms"])
    granted = Flag(examples=[True])
    text_version = Words(
        most=100,
        whole=True,
        required=True,
        description="The version of the text shown to the person.",
        examples=["2026-01"],
    )
    text_sha256 = Digest(
        description="The SHA-256 digest of the text shown to the person.",
        examples=["5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"],
    )
    at = Instant(description="When the person decided.", examples=["2026-01-28T15:04:05-06:00"])
    page_url = Words(
        most=2_048,
        whole=True,
        required=True,
        description="The page that showed the text.",
        examples=["https://motorcade.vip/contact"],
    )


class Submission(Part):
    """The body of POST /intake."""

    contact = Section(Contact, required=True)
    request = Section(Wish, required=True)
    context = Section(Context)
    consent = Sections(
        Consent, most=_MOST_CONSENTS, description="What the person agreed to or refused, and the text they saw."
    )
    form = Answers(
        most=100,
        longest=5_000,
        description="Every further field of the page's form, as given.",
        examples=[{"venue": "Long Center", "how_did_you_hear": "A friend"}],
    )


PARTS: Final = (Contact, Timeline, Location, Wish, Utm, Context, Consent, Submission)


def _note_no_timeline(at: str, notes: Notes) -> None:
    """At the member that a form asks for, so that it can show the fault beside its field."""
    notes.slip("timeline_missing", f"{at}/mode", "required", "One of start_local and mode is required.")


def _note_unreachable(at: str, notes: Notes) -> None:
    """The one fault that only people can put right: say where, as precisely as possible."""
    details = {
        "email_unreadable": ("email", "This is not an email address."),
        "phone_unreadable": ("phone", "This is not a phone number that can be called."),
    }
    given = [detail for flag, detail in details.items() if flag in notes.flags]
    for name, detail in given:
        notes.fault(f"{at}/{name}", "format", detail)
    if not given:
        notes.fault(at, "unreachable", "At least one of email and phone is required.")
