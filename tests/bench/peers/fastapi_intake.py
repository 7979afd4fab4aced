"""The same intake with FastAPI, pydantic, asyncpg and uvicorn: one INSERT and one commit a request.

No straw man: uvloop and httptools, a warm pool that sends nothing but the statement (prepared by asyncpg), and no
metrics, no log line, no bell. A body in which nothing needs a closer look is read by pydantic, its address and
number by our functions with their short cuts; any other body is read as ours is. Keys, strict JSON, idempotency,
fingerprint and tables are ours.
"""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import Response
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from leadgen.api import email_address, phone_number, reading
from leadgen.api.fields import instant_of
from leadgen.api.problems import Problem
from leadgen.api.schemas import SHORTEST_SHIFT_HOURS
from leadgen.api.strict_json import parse_object
from leadgen.api.this_request import utc_text
from leadgen.domain import idempotency_key as key_form
from leadgen.domain.api_key import Client, KeyRing
from leadgen.domain.fingerprint import canonical_json, fingerprint
from leadgen.domain.intake_id import uuid7

POOL = int(os.environ.get("PEER_POOL", "16"))
SERVED = frozenset({"TX"})
# Like the choices in leadgen/api/schemas.py.
Method = Literal["call", "text", "email"]
Service = Literal[
    "armed_security",
    "executive_protection",
    "rapid_response_support",
    "armed_escort_driver",
    "armed_delivery",
    "event_security",
    "ep_transport",
    "ep_escort",
    "unarmed_support",
    "mobile_patrol",
    "security_consulting",
    "risk_assessment",
    "other",
]
Mode = Literal[
    "flexible", "immediate", "within_a_week", "within_a_month", "within_a_quarter", "planning", "ongoing"
]

INSERT = """
WITH stored AS (
    INSERT INTO app.intake_jobs (
        intake_id, request_id, x_request_id, client_id, key_id, idempotency_key, fingerprint, fingerprint_version,
        payload, lead, email, phone_e164, created_at, answer
    )
    VALUES ($1, $1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12)
    ON CONFLICT DO NOTHING
    RETURNING intake_id
), queued AS (
    INSERT INTO app.intake_queue (intake_id) SELECT intake_id FROM stored
)
SELECT intake_id FROM stored
"""
FIND = """
SELECT intake_id, fingerprint, answer FROM app.intake_jobs WHERE client_id = $1 AND idempotency_key = $2
"""


def words(most: int, pattern: str = "[ -~]*", least: int = 0) -> Any:  # noqa: ANN401 - what Annotated takes
    """Text that needs no cleaning."""
    return StringConstraints(
        strip_whitespace=True, min_length=least, max_length=most, pattern=f"^{pattern}$", strict=True
    )


def plain(read: Callable[[str], str | None]) -> AfterValidator:
    def look(text: str) -> str:
        found = read(text)
        if found is None:
            raise ValueError("needs a closer look")
        return found

    return AfterValidator(look)


def email(text: str) -> str | None:
    found = email_address.read(text)
    return found.address if found and not (found.unusual or found.more) else None


def phone(text: str) -> str | None:
    found = phone_number.read(text)
    return found.e164 if found and not (found.extension or found.more) else None


def moment(text: str) -> str | None:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def readable_moment(text: str) -> str | None:
    return text if instant_of(text) else None


Line = Annotated[str, words(200)]
Url = Annotated[str, words(2_048)]
Email = Annotated[str, plain(email)]
Phone = Annotated[str, plain(phone)]
PostalCode = Annotated[str, words(10, r"[0-9]{5}(-[0-9]{4})?")]
Notes = Annotated[str, words(5_000, r"[ -~\n]*")]
Moment = Annotated[str, words(40, "[ -~]+"), plain(readable_moment)]
Instant = Annotated[
    str,
    words(
        32,
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])",
    ),
    plain(moment),
]
Digest = Annotated[str, words(64, "[0-9a-f]{64}")]
Answer = Annotated[str, StringConstraints(max_length=5_000)] | bool | int | float


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Contact(Part):
    full_name: Annotated[str, words(200, least=1)]
    company: Annotated[str, words(160)] = ""
    email: Email = ""
    phone: Phone = ""
    preferred_contact_method: Method | Literal[""] = ""

    @model_validator(mode="after")
    def check(self) -> "Contact":
        chosen = self.preferred_contact_method or ("call" if self.phone else "email")
        if not (self.email if chosen == "email" else self.phone):
            raise ValueError("needs a closer look")
        self.preferred_contact_method = chosen
        return self


class Timeline(Part):
    start_local: Moment = ""
    end_local: Moment = ""
    mode: Mode | Literal[""] = ""

    @model_validator(mode="after")
    def check(self) -> "Timeline":
        if not self.start_local and not self.mode:
            raise ValueError("needs a closer look")
        return self


class Location(Part):
    state: Literal["TX"]
    street: Line = ""
    city: Annotated[str, words(100)] = ""
    postal_code: PostalCode = ""


class Wish(Part):
    service_type: Service
    timeline: Timeline
    location: Location
    site_type: Literal["residential", "commercial", "industrial", "event", "other"] | None = None
    notes: Notes = ""
    expected_hours: Annotated[int, Field(ge=SHORTEST_SHIFT_HOURS, le=168)] | None = None
    recurrence: Literal["one_time", "recurring", "ongoing_24_7"] = "one_time"
    headcount: Annotated[int, Field(ge=1, le=100_000)] | None = None
    personnel_count: Annotated[int, Field(ge=1, le=1_000)] | None = None


class Utm(Part):
    source: Line = ""
    medium: Line = ""
    campaign: Line = ""
    term: Line = ""
    content: Line = ""


class Context(Part):
    lead_source: Annotated[str, words(64)] = ""
    referrer_url: Url = ""
    page_url: Url = ""
    intake_type: Literal["contact", "security_assessment", "other"] | None = None
    utm: Utm = Utm()


class Consent(Part):
    channel: Literal["email", "phone", "sms"]
    granted: bool
    text_version: Annotated[str, words(100, least=1)]
    text_sha256: Digest
    at: Instant
    page_url: Annotated[str, words(2_048, least=1)]


class Submission(Part):
    contact: Contact
    request: Wish
    context: Context = Context()
    consent: Annotated[list[Consent], Field(max_length=10)] = []
    form: Annotated[dict[str, Answer], Field(max_length=100)] = {}


async def leave_alone(_connection: object) -> None:
    """Instead of the four statements with which asyncpg's pool cleans a connection after each use."""


@asynccontextmanager
async def with_pool(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        os.environ["LEADGEN_DATABASE_URL"],
        min_size=POOL,
        max_size=POOL,
        reset=leave_alone,
        server_settings={"synchronous_commit": "on"},
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=with_pool)
keys = KeyRing.load(Path(os.environ["LEADGEN_API_KEYS_FILE"]).read_text(encoding="utf-8"))


@app.post("/lead/intake", status_code=202)
async def post_intake(  # noqa: PLR0913, PLR0917 - one for each header
    request: Request,
    authorization: Annotated[str, Header()] = "",
    x_api_key: Annotated[str, Header()] = "",
    idempotency_key: Annotated[str | None, Header()] = None,
    x_request_id: Annotated[str | None, Header()] = None,
    x_lead_source: Annotated[str | None, Header()] = None,
    prefer: Annotated[str, Header()] = "",
) -> Response:
    received = datetime.now(UTC)
    client = client_of(authorization.removeprefix("Bearer "), x_api_key, received)
    try:
        key = None if idempotency_key is None else key_form.parse(idempotency_key)
        document = parse_object(await request.body())
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    payload = canonical_json(document)
    read = read_submission(document, x_lead_source, strict=prefer == "handling=strict")
    intake_id = uuid7()
    request_id = x_request_id or str(uuid7())
    members = {
        "status": "accepted",
        "intake_id": str(intake_id),
        "request_id": request_id,
        "received_at_utc": utc_text(received),
        **({"flags": read.flags} if read.flags else {}),
        **({"ignored": read.ignored} if read.ignored else {}),
    }
    answer = json.dumps(members) + "\n"
    digest = fingerprint(payload)
    async with app.state.pool.acquire() as connection:
        stored = await connection.fetchval(
            INSERT,
            *(intake_id, request_id, client.client_id, client.key_id, key, digest, payload),
            *(canonical_json(read.columns), read.email, read.phone_e164, received, answer),
        )
        if stored is None:
            earlier = await connection.fetchrow(FIND, client.client_id, key)
            if earlier["fingerprint"] != digest:
                raise HTTPException(409, "the key was used for another submission")
            intake_id, answer = earlier["intake_id"], earlier["answer"]
    headers = {"Location": f"/lead/intake/{intake_id}", "X-Request-Id": request_id}
    return Response(answer, 202, headers, "application/json")


def client_of(bearer: str, plain_key: str, now: datetime) -> Client:
    if bearer and plain_key and bearer != plain_key:
        raise HTTPException(400)
    client = keys.client_for(bearer or plain_key, now)
    if client is None:
        raise HTTPException(401)
    return client


def read_submission(document: dict[str, Any], lead_source: str | None, *, strict: bool) -> reading.Reading:
    try:
        found = Submission.model_validate(document)
    except ValidationError:
        request = reading.Request(lead_source=lead_source, strict=strict)
        try:
            return reading.read(document, SERVED, request)
        except Problem as problem:
            raise HTTPException(problem.kind.status) from None
    contact = found.contact
    return reading.Reading(contact.email or None, contact.phone or None, columns(found, lead_source), [], [])


def columns(found: Submission, lead_source: str | None) -> dict[str, Any]:
    wish, context = found.request, found.context
    timeline, location = wish.timeline, wish.location
    made = {
        "full_name": found.contact.full_name,
        "company": found.contact.company,
        "preferred_contact_method": found.contact.preferred_contact_method,
        "service_type": wish.service_type,
        "timeline_mode": timeline.mode,
        "start_local": timeline.start_local,
        "end_local": timeline.end_local,
        "starts_at": timeline.start_local and instant_of(timeline.start_local),
        "ends_at": timeline.end_local and instant_of(timeline.end_local),
        "state": location.state,
        "street": location.street,
        "city": location.city,
        "postal_code": location.postal_code,
        "site_type": wish.site_type,
        "notes": wish.notes,
        "expected_hours": wish.expected_hours,
        "recurrence": wish.recurrence,
        "headcount": wish.headcount,
        "personnel_count": wish.personnel_count,
        "lead_source": lead_source or context.lead_source or reading.NO_LEAD_SOURCE,
        "referrer_url": context.referrer_url,
        "page_url": context.page_url,
        "intake_type": context.intake_type,
        "utm": {name: text for name, text in context.utm if text},
        "form": found.form,
        "consent": [dict(given) for given in found.consent],
    }
    return {name: value for name, value in made.items() if value}
