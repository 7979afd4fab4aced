"""Standard Webhooks as a receiver verifies them, by Python's own HMAC: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

TOLERANCE_SECONDS: Final = 300


def verified(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the body is from who has the secret, and was sent within five minutes."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    id_, at = headers["webhook-id"], headers["webhook-timestamp"]
    mac = hmac.new(key, f"{id_}.{at}.".encode() + body, hashlib.sha256)
    wanted = f"v1,{base64.b64encode(mac.digest()).decode()}"
    recent = abs(time.time() - int(at)) <= TOLERANCE_SECONDS
    return "." not in id_ and recent and wanted in headers["webhook-signature"].split(" ")
