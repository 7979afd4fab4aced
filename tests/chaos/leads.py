"""The bodies that the load sends: each is derived only from its key, so that a retry is the same."""

import json
import random
from hashlib import sha256
from typing import Any, Final, TypeAlias
from uuid import UUID

from leadgen.domain.fingerprint import canonical_json

# Part of every text that a person would have written; no log and no metric may show it.
MARKER: Final = "Quillfeather"

CHANNELS: Final = ("email", "sms", "phone")
SPOILT: Final = ("state", "channel", "unknown", "twice", "cut", "NUL")

JSON: TypeAlias = dict[str, Any]


def dice(seed: object) -> random.Random:
    """Repeatable randomness."""
    return random.Random(str(seed))  # noqa: S311 - no secret: a campaign has to be repeatable


def make_key(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def make_lead(key: str, edition: int = 0) -> JSON:
    """A valid body; another edition is a different body for the same key."""
    chance = dice((key, edition))
    channel = chance.choice(CHANNELS)
    return {
        "contact": {
            "name": f"Ana {MARKER} {key[:8]}",
            "email": f"{MARKER.lower()}.{key[:8]}@example.com",
            "phone": f"(512) 555-{chance.randrange(100, 200):04}",
            "preferred_channel": channel,
        },
        "request": {
            "service": "event_security",
            "timeline": "planning",
            "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
            "details": f"{MARKER} asks: "
            + "für zwölf Gäste, one evening, 晚上. " * chance.randrange(1, 30)
            + str(edition),
        },
        "consent": [_consent(channel) for _ in range(chance.randrange(3))],
    }


def spoil(lead: JSON, how: str) -> bytes:
    """A body that must be refused with a 4xx and never stored."""
    text = json.dumps(lead)
    match how:
        case "state":
            return text.replace('"TX"', '"OK"').encode()
        case "channel":
            return text.replace('"preferred_channel": ', '"preferred_channel": "fax", "was": ').encode()
        case "unknown":
            return text.replace('"contact"', '"remark": 1, "contact"', 1).encode()
        case "twice":
            return text.replace('"consent"', '"request": {}, "consent"').encode()
        case "NUL":
            return text.replace("asks:", "asks\\u0000").encode()
        case _:
            return text[:-1].encode()


def digest(lead: JSON) -> str:
    """The hash by which the ledger and the database's rows are compared."""
    return sha256(canonical_json(lead).encode()).hexdigest()


def _consent(channel: str) -> JSON:
    return {
        "channel": channel,
        "granted": True,
        "text_version": "2026-01",
        "text_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "at": "2026-01-28T15:04:05-06:00",
        "page_url": "https://motorcade.vip/contact",
    }
