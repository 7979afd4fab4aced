"""The intake itself: accept a lead for good, and tell how far it is."""

import logging
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, g, json, request

from leadgen.api import body, metrics, schemas
from leadgen.api.problems import Problem
from leadgen.api.services import services
from leadgen.domain import fingerprint, idempotency_key
from leadgen.domain.intake_id import uuid7
from leadgen.errors import DatabaseUnavailable, UnfitSchema
from leadgen.log import event
from leadgen.store import intakes
from leadgen.store.intakes import Intake, Receipt

blueprint = Blueprint("intake", __name__)

_log: Final = logging.getLogger(__name__)


@blueprint.post("/intake")
def post_intake() -> Response:
    """Answer 202 when the submission is committed, and the very same 202 to its repetition."""
    here = services()
    client = here.keys.authenticate(request.headers.get("Authorization"), "intake")
    key = _idempotency_key()
    document = body.parse(request)
    payload = fingerprint.canonical_json(document)
    try:
        valid = schemas.validate(document, here.config.service_area_states)
    except Problem:
        # What was accepted once stays accepted, whatever has become of the rules since.
        if key is None or (earlier := _find(client.client_id, key)) is None or not _same(earlier, payload):
            raise
        return _accepted(earlier)
    receipt = here.writer.write(
        Intake(
            intake_id=uuid7(),
            request_id=g.request_id,
            client_id=client.client_id,
            idempotency_key=key,
            fingerprint=fingerprint.fingerprint(payload),
            fingerprint_version=fingerprint.FINGERPRINT_VERSION,
            payload=payload,
            email=valid.email,
            phone_e164=valid.phone_e164,
        )
    )
    if receipt.replayed and not _same(receipt, payload):
        raise Problem("idempotency-key-reused")
    here.doorbell.ring()
    return _accepted(receipt)


@blueprint.get("/intake/<uuid:intake_id>")
def get_intake(intake_id: UUID) -> Response:
    """Tell a client how far its own submission is."""
    here = services()
    client = here.keys.authenticate(request.headers.get("Authorization"), "intake")
    with here.database.connection() as connection:
        found = intakes.get_submission(connection, intake_id, client.client_id)
    if found is None:
        raise Problem("not-found")
    return _json(
        {
            "intake_id": str(intake_id),
            "request_id": str(found.request_id),
            "status": found.status,
            "received_at": found.received_at.isoformat(),
            "finished_at": found.finished_at and found.finished_at.isoformat(),
        }
    )


def _idempotency_key() -> str | None:
    headers = request.headers.getlist("Idempotency-Key")
    if not headers:
        return None
    try:
        return idempotency_key.parse(",".join(headers))
    except ValueError as error:
        raise Problem("malformed-idempotency-key", f"The key {error}.") from None


def _find(client_id: str, key: str) -> Receipt | None:
    try:
        with services().database.connection() as connection:
            return intakes.find_by_key(connection, client_id, key)
    except (DatabaseUnavailable, UnfitSchema):
        return None  # what is wrong with the submission can be told without it


def _same(receipt: Receipt, payload: str) -> bool:
    return fingerprint.matches(payload, receipt.fingerprint, receipt.fingerprint_version)


def _accepted(receipt: Receipt) -> Response:
    intake_id = str(receipt.intake_id)
    outcome = "replay" if receipt.replayed else "new"
    metrics.accepted.labels(outcome).inc()
    event(_log, "accepted", outcome=outcome, intake_id=intake_id, request_id=g.request_id)
    response = _json(
        {"intake_id": intake_id, "request_id": str(receipt.request_id), "status": "queued"}, status=202
    )
    response.headers["Location"] = f"{services().config.public_url}/intake/{intake_id}"
    if receipt.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _json(document: dict[str, object], status: int = 200) -> Response:
    return Response(json.dumps(document) + "\n", status, mimetype="application/json")
