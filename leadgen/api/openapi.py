"""The OpenAPI 3.1 description of the API, made from the schemas and the catalogue of problems."""

from functools import cache
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from leadgen import __version__
from leadgen.api.answers import ANSWERS
from leadgen.api.problems import CATALOGUE, MEDIA_TYPE, Problem, document
from leadgen.api.schema_walk import example
from leadgen.api.schemas import PARTS
from leadgen.config import Config
from leadgen.domain.service_area import OutsideServiceArea

Json = dict[str, Any]

EXAMPLE_ID: Final = "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"

_INTRODUCTION: Final = """\
A 202 means that the submission is stored permanently and becomes exactly one lead.

Send an `Idempotency-Key` with every submission: a UUID that you generate once and reuse for every retry. After a
timeout, a broken connection, a 5xx or any response with `Retry-After`, send the same body with the same key: it is
stored once, and the response is the same. Every error is `application/problem+json`, and its `type` is the address
of a page that says what to do."""

_POSTING: Final = """\
The body is at most 64 KiB. Only what cannot be answered is refused: no name, no usable email address or phone
number, no state that is served, no service. Anything else is stored as sent and flagged, and unknown members are
listed in `ignored`."""


def _optional(name: str, where: str, description: str, *, schema: Json | None = None) -> Json:
    """Return a parameter that may be left out."""
    return {
        "name": name,
        "in": where,
        "required": False,
        "description": description,
        "schema": {"type": "string", **(schema or {})},
    }


_POSTING_PARAMETERS: Final = (
    _optional(
        "Idempotency-Key",
        "header",
        "A UUID, or any 1 to 255 visible ASCII characters without a comma, bare or in double quotes; "
        "X-Idempotency-Key is the same header. Without it, each request is a new submission.",
        schema={"pattern": '^([!#-+\\--~]{1,255}|"[!#-+\\--~]{1,255}")$'},
    ),
    _optional(
        "X-Request-Id",
        "header",
        "An id of your own for this request: 8 to 128 visible ASCII characters. Any other is replaced.",
    ),
    _optional(
        "X-Lead-Source",
        "header",
        "The sending system, e.g. `motorcade.vip`; it wins over `context.lead_source`.",
    ),
    _optional(
        "Prefer",
        "header",
        "`handling=strict` also refuses what a program got wrong: unknown members, wrong types, words outside a "
        "list. What people type is read leniently in either case.",
        schema={"examples": ["handling=strict"]},
    ),
    _optional(
        "validate",
        "query",
        "`only`: check the submission, store nothing, and answer 204 or 422.",
        schema={"enum": ["only"]},
    ),
)
_ID_PARAMETER: Final = {
    "name": "intake_id",
    "in": "path",
    "required": True,
    "description": "The `intake_id` from the 202 response.",
    "schema": {"type": "string", "format": "uuid"},
    "example": EXAMPLE_ID,
}
_REQUEST_ID: Final = {
    "description": "The id of this request in the service's logs.",
    "required": True,
    "schema": {"type": "string"},
}
_HEADERS: Final = {
    "Retry-After": {
        "description": "How many seconds to wait before sending the request again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "How to present a key.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that this address supports.", "schema": {"type": "string"}},
    "Location": {
        "description": "Where to get the status of the submission.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotency-Replayed": {
        "description": "Present if this response repeats an earlier one.",
        "schema": {"type": "string", "const": "true"},
    },
}
_ERROR_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    405: ("Allow",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_GUARDED: Final = ("unauthorized", "missing-scope")
_EVERYWHERE: Final = ("bad-request", "method-not-allowed", "too-many-requests", "internal-error", "unavailable")


@cache
def build(config: Config) -> Json:
    """Return the document for this service area and public URL."""
    spec = APISpec(
        title="Lead intake",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"description": _INTRODUCTION},
        servers=[{"url": config.public_url}],
    )
    spec.components.security_scheme(
        "apiKey",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "mcl_<key id>_<secret>_<checksum>",
            "description": "An API key issued by the operator.",
        },
    )
    spec.components.security_scheme(
        "apiKeyHeader",
        {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "The same key in a header of its own.",
        },
    )
    for part in PARTS:
        spec.components.schema(part.__name__, {"description": part.__doc__, **part.rule}, schema=part)
    for name, schema in ANSWERS.items():
        spec.components.schema(name, schema)
    _add_operations(spec, config)
    described: Json = spec.to_dict()
    _serve_only(described, sorted(config.service_area_states))
    media = described["paths"]["/intake"]["post"]["requestBody"]["content"]["application/json"]
    media["example"] = example(described, "Submission")
    return described


def _add_operations(spec: APISpec, config: Config) -> None:
    guard: list[Json] = [{"apiKey": []}, {"apiKeyHeader": []}]
    refusals = [slug for slug, kind in CATALOGUE.items() if slug not in _EVERYWHERE and slug != "not-found"]
    spec.path(
        "/intake",
        operations={
            "post": {
                "operationId": "postIntake",
                "summary": "Send a submission",
                "description": _POSTING,
                "security": guard,
                "parameters": [*_POSTING_PARAMETERS],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Submission")}}},
                "responses": {
                    "202": _answer("The submission is stored.", "Accepted", "Location", "Idempotency-Replayed"),
                    "204": {
                        "description": "With `validate=only`: the submission is valid, and nothing was stored.",
                        "headers": {"X-Request-Id": _REQUEST_ID},
                    },
                    **_problems(config, *refusals, *_EVERYWHERE),
                },
            }
        },
    )
    spec.path(
        "/intake/{intake_id}",
        operations={
            "get": {
                "operationId": "getIntake",
                "summary": "Get the status of a submission",
                "description": "Only for the client that sent it.",
                "security": guard,
                "parameters": [_ID_PARAMETER],
                "responses": {
                    "200": _answer("The submission is known.", "SubmissionStatus"),
                    **_problems(config, *_GUARDED, "not-found", *_EVERYWHERE),
                },
            }
        },
    )
    for name, summary, answer in (
        ("health", "Get the health of the service", "Health"),
        ("ready", "Check whether a submission could be stored now", "Ready"),
        ("version", "Get the version of the contract and of the service", "Version"),
    ):
        spec.path(
            f"/{name}",
            operations={
                "get": {
                    "operationId": f"get{answer}",
                    "summary": summary,
                    "security": [],
                    "responses": {
                        "200": _answer("It could." if name == "ready" else "The process is running.", answer),
                        **_problems(config, *_EVERYWHERE),
                    },
                }
            },
        )
    spec.path(
        "/metrics",
        operations={
            "get": {
                "operationId": "getMetrics",
                "summary": "Get the metrics",
                "description": "For Prometheus, with a key of the scope `metrics`: counts and times.",
                "security": guard,
                "responses": {
                    "200": {
                        "description": "All metrics, in Prometheus's text format.",
                        "headers": {"X-Request-Id": _REQUEST_ID},
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    **_problems(config, *_GUARDED, *_EVERYWHERE),
                },
            }
        },
    )


def _answer(description: str, schema: str, *headers: str) -> Json:
    return {
        "description": description,
        "headers": {"X-Request-Id": _REQUEST_ID, **{name: _HEADERS[name] for name in headers}},
        "content": {"application/json": {"schema": _ref(schema)}},
    }


def _problems(config: Config, *slugs: str) -> Json:
    """Return one response per status, with an example for each of its problem types."""
    responses: Json = {}
    for slug in sorted(slugs, key=lambda slug: CATALOGUE[slug].status):
        kind = CATALOGUE[slug]
        response = responses.setdefault(
            str(kind.status),
            {
                "description": "",
                "headers": {
                    "X-Request-Id": _REQUEST_ID,
                    **{name: _HEADERS[name] for name in _ERROR_HEADERS.get(kind.status, ())},
                },
                "content": {MEDIA_TYPE: {"schema": _ref("Problem"), "examples": {}}},
            },
        )
        response["description"] += f"`{slug}`: {kind.meaning}\n\n"
        response["content"][MEDIA_TYPE]["examples"][slug] = {"value": example_problem(config, slug)}
    return responses


def example_problem(config: Config, slug: str) -> Json:
    """Return an example body for this type of problem."""
    served = sorted(config.service_area_states)
    extensions: dict[str, Any] = {
        "validation-failed": {
            "errors": [
                {
                    "pointer": "/contact/full_name",
                    "field": "contact.full_name",
                    "code": "required",
                    "detail": "This field is required.",
                }
            ]
        },
        "outside-service-area": {
            "served_states": served,
            "errors": [
                {
                    "pointer": "/request/location/state",
                    "field": "request.location.state",
                    "code": "not_served",
                    "detail": str(OutsideServiceArea(served)),
                }
            ],
        },
    }
    problem = Problem(slug, **extensions.get(slug, {}))
    return document(problem, config.public_url, EXAMPLE_ID)


def _serve_only(described: Json, states: list[str]) -> None:
    """Show the states that are served, not all valid ones."""
    state = described["components"]["schemas"]["Location"]["properties"]["state"]
    state["enum"] = states
    state["examples"] = states[:1]


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
