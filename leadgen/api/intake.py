"""The intake itself: accept a lead permanently, and report its status."""

import json as standard_json
import re
from datetime import UTC, datetime
from typing import Final, NoReturn
from urllib.parse import parse_qs
from uuid import UUID

from flask import Blueprint, Response, json

from leadgen.api import body, reading
from leadgen.api.problems import Problem, too_many, unavailable
from leadgen.api.reading import Reading
from leadgen.api.services import Services, services
from leadgen.api.this_request import Environ, this_request, utc_text
from leadgen.domain import fingerprint, idempotency_key, site
from leadgen.domain.api_key import Client
from leadgen.domain.intake_id import uuid7
from leadgen.errors import DatabaseUnavailable, UnfitSchema
from leadgen.store import intakes
from leadgen.store.intakes import Intake, Receipt

SCARCE: Final = "The disk of PostgreSQL's data is nearly full."

blueprint = Blueprint("intake", __name__)

_KEY_HEADERS: Final = ("HTTP_IDEMPOTENCY_KEY", "HTTP_X_IDEMPOTENCY_KEY")
_STRICT: Final = re.compile(r'(?:^|[,;])\s*handling\s*=\s*"?strict"?\s*(?:$|[,;])', re.IGNORECASE)


def accept(here: Services, environ: Environ, request_id: str) -> Receipt | None:
    """Return when the submission in a POST, or the earlier one with its key, is committed.

    None if the request only asks whether it would be (`validate=only`). Raises Problem, and LeadgenError when it
    cannot be committed.
    """
    received = datetime.now(UTC)
    client = here.keys.authenticate(environ, "intake")
    # Before the body is read: what one client sends too much should take little from the others.
    if wait := here.quotas.wait(client.client_id):
        raise too_many(wait)
    key = _idempotency_key(environ)
    only_validate = _only_validate(environ)
    document = body.parse(environ)
    payload = fingerprint.canonical_json(document)
    if wait := here.quotas.take(client.client_id, len(payload.encode())):
        raise too_many(wait)
    if here.disk_is_scarce():
        raise unavailable(SCARCE)
    try:
        read = reading.read(document, here.config.service_area_states, _request(here, environ, client))
    except Problem:
        # A submission that was accepted once stays accepted, even if the rules have changed since.
        if only_validate or key is None or (earlier := _find(here, client.client_id, key)) is None:
            raise
        _refuse_erased(earlier)
        if not _same(earlier, payload):
            raise
        return earlier
    if only_validate:
        return None
    intake_id = uuid7()
    receipt = here.writer.write(
        Intake(
            intake_id=intake_id,
            request_id=request_id,
            client_id=client.client_id,
            key_id=client.key_id,
            idempotency_key=key,
            fingerprint=fingerprint.fingerprint(payload),
            fingerprint_version=fingerprint.FINGERPRINT_VERSION,
            payload=payload,
            lead=fingerprint.canonical_json(read.columns),
            email=read.email,
            phone_e164=read.phone_e164,
            received_at=received,
            answer=_answer(intake_id, request_id, received, read),
        )
    )
    _refuse_erased(receipt)
    if receipt.replayed and not _same(receipt, payload):
        raise Problem("idempotency-key-reused")
    here.doorbell.ring()
    return receipt


@blueprint.post("/intake")
def post_intake() -> NoReturn:
    """Answer 202 when the submission is committed, and the same 202 to a retry.

    Only requests that failed for another reason than a Problem get here: see intake_middleware.
    """
    raise this_request().refusal or Problem("not-found")


@blueprint.get("/intake/<uuid:intake_id>")
def get_intake(intake_id: UUID) -> Response:
    """Report the status of a client's own submission."""
    here = services()
    client = here.keys.authenticate(this_request().environ, "intake")
    with here.database.connection() as connection:
        found = intakes.get_submission(connection, intake_id, client.client_id)
    if found is None:
        raise Problem("not-found")
    document = {
        "status": found.status,
        "intake_id": str(intake_id),
        "request_id": found.request_id,
        "received_at_utc": utc_text(found.received_at),
        "finished_at_utc": found.finished_at and utc_text(found.finished_at),
    }
    return Response(json.dumps(document) + "\n", mimetype="application/json")


def _answer(intake_id: UUID, request_id: str, received: datetime, read: Reading) -> str:
    """The body of the 202; it is stored, so that a replay is the same."""
    members = {
        "status": "accepted",
        "intake_id": str(intake_id),
        "request_id": request_id,
        "received_at_utc": utc_text(received),
        **({"flags": read.flags} if read.flags else {}),
        **({"ignored": read.ignored} if read.ignored else {}),
    }
    return standard_json.dumps(members) + "\n"


def _request(here: Services, environ: Environ, client: Client) -> reading.Request:
    flat = client.client_id == site.CLIENT_ID
    return reading.Request(
        lead_source=environ.get("HTTP_X_LEAD_SOURCE"),
        strict=bool(_STRICT.search(environ.get("HTTP_PREFER", ""))),
        flat=flat,
        default_state=here.config.site_default_state if flat else None,
    )


def _idempotency_key(environ: Environ) -> str | None:
    """The key of the request: servers join repeated headers by commas, which no key contains."""
    given = {environ[name] for name in _KEY_HEADERS if name in environ}
    if not given:
        return None
    try:
        keys = {idempotency_key.parse(header) for header in given}
    except ValueError as error:
        raise Problem("malformed-idempotency-key", f"The key {error}.") from None
    if len(keys) > 1:
        raise Problem(
            "malformed-idempotency-key", "Idempotency-Key and X-Idempotency-Key differ: send one of them."
        )
    return keys.pop()


def _only_validate(environ: Environ) -> bool:
    query = environ.get("QUERY_STRING")
    if not query or "validate" not in (asked := parse_qs(query, keep_blank_values=True)):
        return False
    if asked["validate"] != ["only"]:
        raise Problem("bad-request", "`validate` can only be `only`.")
    return True


def _find(here: Services, client_id: str, key: str) -> Receipt | None:
    try:
        with here.database.connection() as connection:
            return intakes.find_by_key(connection, client_id, key)
    except (DatabaseUnavailable, UnfitSchema):
        return None  # the submission's own fault can be reported without it


def _refuse_erased(receipt: Receipt) -> None:
    """Store nothing of an erased person again because a queue somewhere still has their submission."""
    if receipt.erased:
        raise Problem("submission-erased")


def _same(receipt: Receipt, payload: str) -> bool:
    return fingerprint.matches(payload, receipt.fingerprint, receipt.fingerprint_version)
