"""The same intake with FastAPI, asyncpg and uvicorn: one INSERT and one commit a request.

No straw man: uvloop and httptools, a warm pool that sends nothing but the statement (prepared by asyncpg), the
same short cuts for everyday addresses and numbers, an answer that is not validated again; no metrics, no log line
and no bell. Keys, idempotency, fingerprint and tables are ours.
"""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import asyncpg
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import Response
from marshmallow import ValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from leadgen.api.fields import any_email, any_phone, plain_email, plain_phone
from leadgen.domain import idempotency_key as key_form
from leadgen.domain.api_key import KeyRing
from leadgen.domain.fingerprint import canonical_json
from leadgen.domain.intake_id import uuid7

POOL = int(os.environ.get("PEER_POOL", "16"))
SERVED = frozenset({"TX"})
# Like Choice, Line and Text in leadgen/api/schemas.py.
Channel = Literal["email", "phone", "sms"]
Service = Literal[
    "executive_protection",
    "armed_security",
    "unarmed_security",
    "event_security",
    "mobile_patrol",
    "secure_transport",
    "risk_assessment",
    "other",
]
Timeline = Literal["immediately", "within_a_week", "within_a_month", "within_a_quarter", "planning"]

INSERT = """
WITH stored AS (
    INSERT INTO app.intake_jobs (
        intake_id, request_id, client_id, idempotency_key, fingerprint, fingerprint_version, payload, email,
        phone_e164
    )
    VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8)
    ON CONFLICT DO NOTHING
    RETURNING intake_id
), queued AS (
    INSERT INTO app.intake_queue (intake_id) SELECT intake_id FROM stored
)
SELECT intake_id FROM stored
"""
FIND = """
SELECT intake_id, request_id, fingerprint FROM app.intake_jobs WHERE client_id = $1 AND idempotency_key = $2
"""


def words(most: int, pattern: str) -> Any:  # noqa: ANN401 - what Annotated takes
    return StringConstraints(max_length=most, pattern=f"^{pattern}$")


def reads(plain: Callable[[str], str | None], closely: Callable[[str], str]) -> AfterValidator:
    def read(text: str) -> str:
        try:
            return plain(text) or closely(text)
        except ValidationError as error:
            raise ValueError(str(error)) from None

    return AfterValidator(read)


def day(text: str) -> str:
    date.fromisoformat(text)
    return text


def moment(text: str) -> str:
    datetime.fromisoformat(text).astimezone(UTC)
    return text


LINE = r"[^\S\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*"
Name = Annotated[str, words(200, LINE)]
Line = Annotated[str, words(100, LINE)]
Email = Annotated[str, words(254, r"[^\s@]+@[^\s@]+"), reads(plain_email, any_email)]
Phone = Annotated[str, words(40, r"[^0-9\x00-\x1f\x7f]*[0-9][^\x00-\x1f\x7f]*"), reads(plain_phone, any_phone)]
PostalCode = Annotated[str, words(10, r"[0-9]{5}(-[0-9]{4})?")]
Details = Annotated[str, words(5_000, r"[\s\S]*\S[\s\S]*")]
Day = Annotated[str, words(10, r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), AfterValidator(day)]
Moment = Annotated[
    str,
    words(
        32,
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
        r"(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])",
    ),
    AfterValidator(moment),
]
Digest = Annotated[str, words(64, "[0-9a-f]{64}")]
Url = Annotated[str, words(2_048, r"https?://[^\s\x00-\x1f\x7f]+")]
LongWord = Annotated[str, words(2_048, r"[^\x00-\x1f\x7f]*")]
Word = Annotated[str, words(200, r"[^\x00-\x1f\x7f]*")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Contact(Part):
    name: Name
    email: Email = ""
    phone: Phone = ""
    preferred_channel: Channel

    @model_validator(mode="after")
    def check(self) -> "Contact":
        if not (self.email if self.preferred_channel == "email" else self.phone):
            raise ValueError("This channel needs an email address or a phone number.")
        return self


class Location(Part):
    city: Line
    state: Annotated[str, words(2, "[A-Z]{2}")]
    postal_code: PostalCode


class Wish(Part):
    service: Service
    timeline: Timeline
    location: Location
    details: Details
    starts_on: Day = ""
    headcount: Annotated[int, Field(ge=1, le=100_000)] = 1


class Attribution(Part):
    page_url: LongWord = ""
    referrer: LongWord = ""
    utm_source: Word = ""
    utm_medium: Word = ""
    utm_campaign: Word = ""
    utm_term: Word = ""
    utm_content: Word = ""


class Consent(Part):
    channel: Channel
    granted: bool
    text_version: Line
    text_sha256: Digest
    at: Moment
    page_url: Url


class Submission(Part):
    contact: Contact
    request: Wish
    attribution: Attribution = cast("Attribution", None)  # absent, but never null; pydantic checks no default
    consent: Annotated[list[Consent], Field(max_length=10)] = []


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
async def post_intake(
    submission: Submission,
    request: Request,
    authorization: Annotated[str, Header()] = "",
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    client = keys.client_for(authorization.removeprefix("Bearer "), datetime.now(UTC))
    if client is None:
        raise HTTPException(401)
    if submission.request.location.state not in SERVED:
        raise HTTPException(422, "outside the service area")
    try:
        key = None if idempotency_key is None else key_form.parse(idempotency_key)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    payload = canonical_json(await request.json())  # parsed once: Starlette keeps it
    fingerprint = sha256(payload.encode()).digest()
    intake_id, request_id = uuid7(), uuid7()
    contact = submission.contact
    async with app.state.pool.acquire() as connection:
        stored = await connection.fetchval(
            INSERT,
            *(intake_id, request_id, client.client_id, key, fingerprint, payload),
            *(contact.email or None, contact.phone or None),
        )
        if stored is None:
            earlier = await connection.fetchrow(FIND, client.client_id, key)
            if earlier["fingerprint"] != fingerprint:
                raise HTTPException(422, "the key was used for another submission")
            intake_id, request_id = earlier["intake_id"], earlier["request_id"]
    return Response(
        json.dumps({"intake_id": str(intake_id), "request_id": str(request_id), "status": "queued"}),
        202,
        {"Location": f"/lead/intake/{intake_id}"},
        "application/json",
    )
