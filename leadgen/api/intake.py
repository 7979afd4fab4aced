"""The intake itself: accept a lead permanently, and report its status."""

from typing import NoReturn
from uuid import UUID

from flask import Blueprint, Response, json

from leadgen.api import body, schemas
from leadgen.api.problems import Problem
from leadgen.api.services import Services, services
from leadgen.api.this_request import Environ, this_request
from leadgen.domain import fingerprint, idempotency_key
from leadgen.domain.intake_id import uuid7
from leadgen.errors import DatabaseUnavailable, UnfitSchema
from leadgen.store import intakes
from leadgen.store.intakes import Intake, Receipt

blueprint = Blueprint("intake", __name__)


def accept(here: Services, environ: Environ, request_id: UUID) -> Receipt:
    """Return when the submission in a POST, or the earlier one with its key, is committed.

    Raises Problem, and LeadgenError when it cannot be committed.
    """
    client = here.keys.authenticate(environ.get("HTTP_AUTHORIZATION"), "intake")
    key = _idempotency_key(environ)
    document = body.parse(environ)
    payload = fingerprint.canonical_json(document)
    try:
        valid = schemas.validate(document, here.config.service_area_states)
    except Problem:
        # A submission that was accepted once stays accepted, even if the rules have changed since.
        if key is None or (earlier := _find(here, client.client_id, key)) is None or not _same(earlier, payload):
            raise
        return earlier
    receipt = here.writer.write(
        Intake(
            intake_id=uuid7(),
            request_id=request_id,
            client_id=client.client_id,
            idempotency_key=key,
            fingerprint=fingerprint.fingerprint(payload),
            fingerprint_version=fingerprint.FINGERPRINT_VERSION,
            payload=payload,
            email=valid.email,
            phone_e164=valid.phone_e164,
            key_id=client.key_id,
        )
    )
    if receipt.replayed and not _same(receipt, payload):
        raise Problem("idempotency-key-reused")
    here.doorbell.ring()
    return receipt


@blueprint.post("/intake")
def post_intake() -> NoReturn:
    """Answer 202 when the submission is committed, and the same 202 to a retry.

    Only rejected requests get here: see intake_middleware.
    """
    raise this_request().refusal or Problem("not-found")


@blueprint.get("/intake/<uuid:intake_id>")
def get_intake(intake_id: UUID) -> Response:
    """Report the status of a client's own submission."""
    here = services()
    client = here.keys.authenticate(this_request().environ.get("HTTP_AUTHORIZATION"), "intake")
    with here.database.connection() as connection:
        found = intakes.get_submission(connection, intake_id, client.client_id)
    if found is None:
        raise Problem("not-found")
    document = {
        "intake_id": str(intake_id),
        "request_id": str(found.request_id),
        "status": found.status,
        "received_at": found.received_at.isoformat(),
        "finished_at": found.finished_at and found.finished_at.isoformat(),
    }
    return Response(json.dumps(document) + "\n", mimetype="application/json")


def _idempotency_key(environ: Environ) -> str | None:
    header = environ.get("HTTP_IDEMPOTENCY_KEY")  # repeated headers are already joined by commas
    if header is None:
        return None
    try:
        return idempotency_key.parse(header)
    except ValueError as error:
        raise Problem("malformed-idempotency-key", f"The key {error}.") from None


def _find(here: Services, client_id: str, key: str) -> Receipt | None:
    try:
        with here.database.connection() as connection:
            return intakes.find_by_key(connection, client_id, key)
    except (DatabaseUnavailable, UnfitSchema):
        return None  # the submission's own fault can be reported without it


def _same(receipt: Receipt, payload: str) -> bool:
    return fingerprint.matches(payload, receipt.fingerprint, receipt.fingerprint_version)
