"""The bodies that the load sends: each is derived only from its key, so that a retry is the same."""

import json
import random
import re
from hashlib import sha256
from typing import Any, Final, TypeAlias
from uuid import UUID

from leadgen.domain.fingerprint import canonical_json

# Part of every text that a person would have written; no log and no metric may show it.
MARKER: Final = "Quillfeather"

METHODS: Final = ("call", "text", "email")
CONSENT_CHANNELS: Final = ("email", "phone", "sms")
_SPOILING: Final = {
    "name": [('"full_name"', '"nickname"')],
    "address": [('"email":', '"icq":'), ('"phone":', '"fax":')],
    "state": [('"TX"', '"OK"')],
    "service": [('"event_security"', '"lawn_mowing"')],
    "twice": [('"consent"', '"request": {}, "consent"')],
    "unknown": [('"contact"', '"remark": 1, "contact"')],
}
SPOILT: Final = (*_SPOILING, "cut")
STRICT: Final = "unknown"  # the one of them that only `Prefer: handling=strict` refuses
# What people and their programs get wrong, and what the lead is flagged with: a lead all the same.
ODD: Final = {
    "NUL": "characters_replaced",
    "half an emoji": "characters_replaced",
    "phone": "phone_unreadable",
    "ZIP": "postal_code_unreadable",
}

JSON: TypeAlias = dict[str, Any]


def dice(seed: object) -> random.Random:
    """Repeatable randomness."""
    return random.Random(str(seed))  # noqa: S311 - no secret: a campaign has to be repeatable


def make_key(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def make_lead(key: str, edition: int = 0) -> JSON:
    """A body that becomes a lead; another edition is a different body for the same key."""
    chance = dice((key, edition))
    lead = {
        "contact": {
            "full_name": f"Ana {MARKER} {key[:8]}",
            "email": f"{MARKER.lower()}.{key[:8]}@example.com",
            "phone": f"(512) 555-{chance.randrange(100, 200):04}",
            "preferred_contact_method": chance.choice(METHODS),
        },
        "request": {
            "service_type": "event_security",
            "timeline": {"mode": "planning"},
            "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
            "notes": f"{MARKER} asks: "
            + "für zwölf Gäste, one evening, 晚上. " * chance.randrange(1, 30)
            + str(edition),
        },
        "consent": [_consent(chance.choice(CONSENT_CHANNELS)) for _ in range(chance.randrange(3))],
    }
    return make_odd(lead, chance.choice([*ODD])) if chance.randrange(4) == 0 else lead


def make_odd(lead: JSON, how: str) -> JSON:
    """The lead with one of the faults that the intake forgives."""
    contact, request = lead["contact"], lead["request"]
    match how:
        case "NUL":
            request["notes"] += "\0"
        case "half an emoji":
            request["notes"] += "\ud83d"
        case "phone":
            contact["phone"] = "ask for Ana"
        case "ZIP":
            request["location"]["postal_code"] = "787011234567"
    return lead


def spoil(lead: JSON, how: str) -> bytes:
    """A body that must be refused with a 4xx and never stored."""
    text = json.dumps(lead)
    if how == "cut":
        return text[:-1].encode()
    for old, new in _SPOILING[how]:
        text = text.replace(old, new, 1)
    return text.encode()


def digest(lead: JSON) -> str:
    """The hash by which the ledger and the database's rows are compared, of the text that jsonb can hold."""
    text = re.sub(r"\\u0000|[\ud800-\udfff]", "\ufffd", canonical_json(lead))
    return sha256(text.encode()).hexdigest()


def _consent(channel: str) -> JSON:
    return {
        "channel": channel,
        "granted": True,
        "text_version": "2026-01",
        "text_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "at": "2026-01-28T15:04:05-06:00",
        "page_url": "https://motorcade.vip/contact",
    }
