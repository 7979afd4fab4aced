#!/usr/bin/env python3
"""Send one lead: `send_lead.py [IDEMPOTENCY_KEY] <lead.json`.

LEAD_URL       https://<edge>/api/lead/intake
LEAD_KEY_FILE  a file with the API key, readable only by its owner
LEAD_CA_FILE   the edge's CA, if this machine does not already trust it

Prints the intake_id and exits with 0, or prints why it failed and exits with 1. Needs only Python 3.9 or newer.
"""

from __future__ import annotations

import codecs
import http.client
import json
import logging
import os
import re
import ssl
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TRIES = 5
TRY_SECONDS = 10
TOTAL_SECONDS = 60

_log = logging.getLogger("send_lead")


class NotAcceptedError(Exception):
    """The lead was not stored, or may not have been: why, and what to do."""


def send_lead(url: str, api_key: str, lead: bytes, idempotency_key: str, ca_file: str | None = None) -> str:
    """Return the intake_id of the lead, a JSON document. Raises NotAcceptedError within a minute."""
    _check(url, api_key, idempotency_key)
    headers = {
        "X-API-Key": api_key,
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key,
        "X-Lead-Source": "motorcade.vip",
        "Prefer": "handling=strict",
    }
    trust = ssl.create_default_context(cafile=ca_file)
    end = time.monotonic() + TOTAL_SECONDS
    for number in range(1, TRIES + 1):
        wait = 2**number
        try:
            status, response_headers, answer = _post(url, headers, lead.removeprefix(codecs.BOM_UTF8), trust)
        except ssl.SSLCertVerificationError as error:
            raise NotAcceptedError(f"{error}; name its CA in LEAD_CA_FILE") from None
        except (OSError, http.client.HTTPException) as error:
            why = str(error)
        else:
            if status == http.client.ACCEPTED:
                return _intake_id(answer, idempotency_key)
            why = _explain(status, response_headers, answer)
            retry_after = response_headers.get("Retry-After", "")
            # A 409 without Retry-After: the key belongs to another lead.
            held = status == http.client.CONFLICT and retry_after
            if not held and status != http.client.TOO_MANY_REQUESTS and status < http.client.INTERNAL_SERVER_ERROR:
                raise NotAcceptedError(why)
            if retry_after.isdecimal():
                wait = int(retry_after)
        if number == TRIES or time.monotonic() + wait + TRY_SECONDS > end:
            break
        _log.warning("send_lead: %s; again in %d s", why, wait)
        time.sleep(wait)
    raise NotAcceptedError(f"{why}; send the same lead again later, with the same key: {idempotency_key}")


def _check(url: str, api_key: str, idempotency_key: str) -> None:
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise NotAcceptedError("LEAD_URL: not an https URL, so the API key would be sent unencrypted; correct it")
    if not re.fullmatch("[!-~]+", api_key):
        raise NotAcceptedError(
            "LEAD_KEY_FILE: not one line of visible ASCII; put one API key, and nothing else, into it"
        )
    if not re.fullmatch("[!-~]+", idempotency_key):
        raise NotAcceptedError("IDEMPOTENCY_KEY: not one word of visible ASCII; leave it out to send a new lead")


def _post(
    url: str, headers: dict[str, str], lead: bytes, trust: ssl.SSLContext
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return the response's status, headers and body. Redirects are not followed: they would leak the key."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=TRY_SECONDS, context=trust
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TRY_SECONDS)
    try:
        connection.request("POST", parts._replace(scheme="", netloc="", fragment="").geturl(), lead, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def _intake_id(answer: bytes, idempotency_key: str) -> str:
    try:
        return str(uuid.UUID(json.loads(answer)["intake_id"]))
    except (AttributeError, ValueError, LookupError, TypeError):
        raise NotAcceptedError(
            "HTTP 202 without an intake_id, so it is not from the intake; correct LEAD_URL and"
            f" send the same lead again, with the same key: {idempotency_key}"
        ) from None


def _explain(status: int, headers: http.client.HTTPMessage, answer: bytes) -> str:
    """Return the text of a problem document: its detail, and each error with its pointer."""
    try:
        problem: Any = json.loads(answer) if headers.get_content_type() == "application/problem+json" else None
        faults = [f"\n  {fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", [])]
        return f"HTTP {status} {problem['detail']}" + "".join(faults)
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"HTTP {status}"  # not from the intake, but from something in front of it


def main() -> None:
    unset = [name for name in ("LEAD_URL", "LEAD_KEY_FILE") if not os.environ.get(name)]
    if unset:
        sys.exit(f"send_lead: {' and '.join(unset)}: not set; the top of this file says what they are")
    key = sys.argv[1] if len(sys.argv) > 1 else str(uuid.uuid4())  # one for this lead, the same in every try
    try:
        api_key = Path(os.environ["LEAD_KEY_FILE"]).read_text(encoding="utf-8-sig").strip()
        lead = sys.stdin.buffer.read()
        intake_id = send_lead(os.environ["LEAD_URL"], api_key, lead, key, os.environ.get("LEAD_CA_FILE"))
    except (NotAcceptedError, OSError, ValueError) as error:
        sys.exit(f"send_lead: {error}")
    sys.stdout.write(f"{intake_id}\n")


if __name__ == "__main__":
    main()
