"""Reading a submission: from the body as it was sent to the columns of its lead, or to all its faults at once."""

from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from leadgen.api import flat_profile
from leadgen.api.fields import instant_of
from leadgen.api.notes import Notes
from leadgen.api.problems import Problem
from leadgen.api.schemas import MOST_LEAD_SOURCE, Submission
from leadgen.domain import plain_text, service_area

NO_LEAD_SOURCE: Final = "unknown"
_LONGEST_TEXT: Final = 500  # of an address as it was written
_STATE: Final = "/request/location/state"
_UNANSWERABLE: Final = "The submission lacks what a person needs to answer it."
_ONLY_STRICT: Final = "A person could answer the submission; only `Prefer: handling=strict` refuses it."

_submission: Final = Submission()


@dataclass(frozen=True, slots=True)
class Request:
    """What else a request says about its submission. `default_state` only where the flat profile is allowed."""

    lead_source: str | None = None
    strict: bool = False
    flat: bool = False
    default_state: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A submission that becomes a lead. `columns` are the lead's, by name, without the empty ones."""

    email: str | None
    phone_e164: str | None
    columns: dict[str, Any]
    flags: list[str]
    ignored: list[str]


def read(document: dict[str, Any], served: frozenset[str], request: Request) -> Reading:
    """Read a parsed body. Raises Problem: `validation-failed` with every fault, or `outside-service-area`."""
    notes = Notes(strict=request.strict)
    names: dict[str, str] = {}
    sent = document
    flat = sent if request.flat and flat_profile.fits(sent) else None
    if flat is not None:
        default = request.default_state if request.default_state in served else None
        document, names = flat_profile.nested(flat, default, notes)
    members = _submission.read(document, "", notes)
    flat_profile.keep_unread(document, names, members)
    state = members.get("request", {}).get("location", {}).get("state")
    outside = None
    if state is not None:
        try:
            service_area.check(state, served)
        except service_area.OutsideServiceArea as error:
            outside = error
            notes.fault(_STATE, "not_served", str(error))
    if notes.faults:
        if flat is not None:
            flat_profile.rename(notes.faults, names, flat)
        only_strict = request.strict and _is_a_lead(sent, served, request)
        _refuse(notes, outside, _ONLY_STRICT if only_strict else _UNANSWERABLE)
    columns = _columns(members, request.lead_source, notes)
    flags = sorted(notes.flags)
    if flags:
        columns |= {"flags": flags, **_texts(document["contact"], notes.flags)}
    contact = members["contact"]
    email, phone = contact.get("email"), contact.get("phone")
    return Reading(email and email.address, phone and phone.e164, columns, flags, notes.ignored)


def _is_a_lead(document: dict[str, Any], served: frozenset[str], request: Request) -> bool:
    """Whether it would be one without strict mode."""
    try:
        read(document, served, replace(request, strict=False))
    except Problem:
        return False
    return True


def _refuse(notes: Notes, outside: service_area.OutsideServiceArea | None, detail: str) -> NoReturn:
    if outside is None:
        raise Problem("validation-failed", detail, errors=notes.faults)
    slug, detail = (
        ("outside-service-area", str(outside)) if len(notes.faults) == 1 else ("validation-failed", detail)
    )
    raise Problem(slug, detail, served_states=outside.served, errors=notes.faults)


def _columns(members: dict[str, Any], lead_source: str | None, notes: Notes) -> dict[str, Any]:
    contact, wish, context = members["contact"], members["request"], members.get("context", {})
    phone, timeline = contact.get("phone"), wish.get("timeline", {})
    location = wish["location"]
    columns = {
        "full_name": contact["full_name"],
        "company": contact.get("company"),
        "phone_extension": phone and phone.extension,
        "preferred_contact_method": contact["preferred_contact_method"],
        "service_type": wish["service_type"],
        "timeline_mode": timeline.get("mode"),
        "start_local": timeline.get("start_local"),
        "end_local": timeline.get("end_local"),
        "starts_at": _instant(timeline.get("start_local")),
        "ends_at": _instant(timeline.get("end_local")),
        "state": location["state"],
        "street": location.get("street"),
        "city": location.get("city"),
        "postal_code": location.get("postal_code"),
        "site_type": wish.get("site_type"),
        "notes": wish.get("notes"),
        "expected_hours": wish.get("expected_hours"),
        "recurrence": wish["recurrence"],
        "headcount": wish.get("headcount"),
        "personnel_count": wish.get("personnel_count"),
        "lead_source": _lead_source(lead_source, context, notes),
        "referrer_url": context.get("referrer_url"),
        "page_url": context.get("page_url"),
        "intake_type": context.get("intake_type"),
        "utm": context.get("utm") or None,
        "form": members.get("form"),
        "consent": members.get("consent"),
    }
    return {name: value for name, value in columns.items() if value is not None}


def _texts(contact: dict[str, Any], flags: set[str]) -> dict[str, str]:
    """What was written where it says more than what was read."""
    unread = {"email": {"email_unreadable", "more_than_one_email", "email_unusual"}}
    unread["phone"] = {"phone_unreadable", "more_than_one_phone"}
    texts = {}
    for name, reasons in unread.items():
        if flags & reasons and (text := plain_text.clean(str(contact[name]))[0][:_LONGEST_TEXT]):
            texts[f"{name}_text"] = text
    return texts


def _lead_source(header: str | None, context: dict[str, Any], notes: Notes) -> str:
    text = plain_text.clean(header)[0] if header else ""
    if len(text) > MOST_LEAD_SOURCE:
        notes.flags.add("attribution_cut")
    return text[:MOST_LEAD_SOURCE] or context.get("lead_source", NO_LEAD_SOURCE)


def _instant(text: str | None) -> str | None:
    return instant_of(text) if text else None
