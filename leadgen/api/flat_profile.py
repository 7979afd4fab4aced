"""The flat profile: the body that a page's form posts to `/api/lead-intake`, brought into the form of contract v1.

Every field of the form arrives, filled in or not; whatever contract v1 has no place for goes to `form`.
"""

from typing import Any, Final

from leadgen.api.fields import as_word
from leadgen.api.notes import Fault, Notes, dotted
from leadgen.api.schemas import INTAKE_TYPES
from leadgen.domain import plain_text
from leadgen.domain.service_types import SERVICE_TYPES

# Of the flat body, the place of each field in contract v1; of two that mean the same the first text counts.
_PLACES: Final = {
    "full_name": "/contact/full_name",
    "name": "/contact/full_name",
    "company": "/contact/company",
    "email": "/contact/email",
    "phone": "/contact/phone",
    "preferred_contact_method": "/contact/preferred_contact_method",
    "service_type": "/request/service_type",
    "state": "/request/location/state",
    "street": "/request/location/street",
    "city": "/request/location/city",
    "postal_code": "/request/location/postal_code",
    "site_type": "/request/site_type",
    "notes": "/request/notes",
    "message": "/request/notes",
    "expected_hours": "/request/expected_hours",
    "recurrence": "/request/recurrence",
    "headcount": "/request/headcount",
    "personnel_count": "/request/personnel_count",
    "start_local": "/request/timeline/start_local",
    "end_local": "/request/timeline/end_local",
    "timeline": "/request/timeline/mode",
    "lead_source": "/context/lead_source",
    "source_page": "/context/page_url",
    "page_url": "/context/page_url",
    "referrer_url": "/context/referrer_url",
    "intake_type": "/context/intake_type",
    "utm_source": "/context/utm/source",
    "utm_medium": "/context/utm/medium",
    "utm_campaign": "/context/utm/campaign",
    "utm_term": "/context/utm/term",
    "utm_content": "/context/utm/content",
}
# No person sees this field of the form, so who fills it in is a program; a sign, never a reason to drop a lead.
HONEYPOT: Final = "website"
_SERVICE: Final = "/request/service_type"
_STATE: Final = "/request/location/state"


def fits(document: dict[str, Any]) -> bool:
    """Whether a body is flat: neither of the parts of contract v1, but a field for a name or an address."""
    return not document.keys() & {"contact", "request"} and bool(
        document.keys() & {"full_name", "name", "email", "phone"}
    )


def nested(
    document: dict[str, Any], default_state: str | None, notes: Notes
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the same submission in the form of contract v1, and the flat name of each place."""
    made: dict[str, Any] = {"contact": {}, "request": {"location": {}}}
    form: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in document.items():
        if name == "consent":
            made[name] = value
        elif name == "form" and isinstance(value, dict):
            form |= value
        elif value is None or (isinstance(value, str) and not plain_text.clean(value)[0]):
            continue
        elif name == HONEYPOT:
            notes.flags.add("honeypot_filled")
            form[name] = value
        elif (place := _PLACES.get(name)) and place not in names:
            names[place] = name
            _put(made, place, value)
        elif place and isinstance(value, str) and not isinstance(_get(made, place), str):
            form[names[place]] = _get(made, place)  # cannot be read, and this can
            names[place] = name
            _put(made, place, value)
        else:
            form[name] = value
    _settle_words(made, names, form, notes)
    if _STATE not in names and default_state:
        made["request"]["location"]["state"] = default_state
        notes.flags.add("assumed_state")
    if form:
        made["form"] = form
    return made, names


def keep_unread(document: dict[str, Any], names: dict[str, str], members: dict[str, Any]) -> None:
    """Add to the form what was given for a place in contract v1 and cannot be read there: a person may."""
    unread = {name: _get(document, place) for place, name in names.items() if _get(members, place) is None}
    if unread:
        members["form"] = unread | members.get("form", {})


def rename(faults: list[Fault], names: dict[str, str], document: dict[str, Any]) -> None:
    """Let each fault name the field of the flat body: the one that was read, or is empty, or could be there."""
    flat = {place: name for name, place in reversed(_PLACES.items())}
    flat |= {place: name for name, place in reversed(_PLACES.items()) if name in document} | names
    flat["/contact"] = "phone" if "phone" in document and "email" not in document else "email"
    for fault in faults:
        if name := flat.get(fault["pointer"]):
            fault["pointer"] = f"/{name}"
            fault["field"] = dotted(f"/{name}")


def _settle_words(made: dict[str, Any], names: dict[str, str], form: dict[str, Any], notes: Notes) -> None:
    """A page has words of its own: one that is none of ours is `other`, and kept as it was sent."""
    service = made["request"].get("service_type")
    if _SERVICE in names and not (isinstance(service, str) and as_word(service) in SERVICE_TYPES):
        form["service_type"] = service
        made["request"]["service_type"] = "other"
        notes.flags.add("service_unmapped")
    intake_type = made.get("context", {}).get("intake_type")
    if intake_type is not None and not (isinstance(intake_type, str) and as_word(intake_type) in INTAKE_TYPES):
        form["intake_type"] = intake_type
        made["context"]["intake_type"] = "other"


def _get(target: Any, place: str) -> Any:  # noqa: ANN401 - any JSON value
    for step in place.split("/")[1:]:
        if not isinstance(target, dict):
            return None
        target = target.get(step)
    return target


def _put(made: dict[str, Any], place: str, value: object) -> None:
    *way, last = place.split("/")[1:]
    target = made
    for step in way:
        target = target.setdefault(step, {})
    target[last] = value
