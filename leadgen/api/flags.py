"""The flags of a lead: what each says to the person who answers it. `/lead/docs` shows them."""

from collections.abc import Mapping
from typing import Final

# `<field>` is the name of any optional member: headcount_unreadable, notes_cut.
FLAGS: Final[Mapping[str, str]] = {
    "phone_unreadable": ("The phone number cannot be read; the text is kept. The email address is good."),
    "email_unreadable": ("The email address cannot be read; the text is kept. The phone number is good."),
    "more_than_one_phone": (
        "There are several phone numbers in the field. The first is used, and the text is kept."
    ),
    "more_than_one_email": (
        "There are several email addresses in the field. The first is used, and the text is kept."
    ),
    "email_unusual": (
        "The standard does not allow this email address, or there are other words beside it. It is used, "
        "and the text is kept."
    ),
    "preferred_contact_method_unreachable": (
        "The lead has no number or address for the way of contact that the person prefers. Use the other one."
    ),
    "timeline_missing": "There is neither a `start_local` nor a `mode`.",
    "start_local_unreadable": "The start is not a date or a time. It is kept as text.",
    "end_local_unreadable": "The end is not a date or a time. It is kept as text.",
    "postal_code_unreadable": "The postal code is not a ZIP code. It is kept.",
    "below_minimum_shift": "The person asks for fewer than 10 hours. The number is kept.",
    "consent_unreadable": "An entry of `consent` is incomplete or invalid. It is left out of the evidence.",
    "<field>_unreadable": (
        "The value has the wrong type, is beyond its limits or is an unknown word. It is left out of the lead."
    ),
    "<field>_cut": "The text is longer than the lead's column. It is cut in the lead.",
    "attribution_cut": ("Something in `context` is too long, null or unknown. It is cut or left out of the lead."),
    "form_cut": (
        "`form` has too many members, or one that is too long or of another type. It is cut or left out "
        "of the lead."
    ),
    "characters_removed": (
        "Control characters, or characters that reverse the text's direction, are removed from the lead."
    ),
    "characters_replaced": "A NUL, or half an emoji, is replaced by U+FFFD.",
    "assumed_state": "The form of our own site named no state. The lead has the site's.",
    "service_unmapped": (
        "The form of our own site has its own word for the service. The lead says `other`, and `form` has "
        "the word."
    ),
    "honeypot_filled": (
        "The field that our own site hides from people is filled in: perhaps a program sent this."
    ),
}
_OF_A_FIELD: Final = ("_unreadable", "_cut")


def entry_of(flag: str) -> str:
    """The name of a flag's entry in FLAGS: its own, or the one for any member."""
    if flag in FLAGS:
        return flag
    return next((f"<field>{end}" for end in _OF_A_FIELD if flag.endswith(end)), flag)
