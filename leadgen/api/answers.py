"""The API's responses as JSON Schema: the views write them, OpenAPI shows them, tests keep both in step."""

from typing import Any, Final

SERVICE: Final = "leadgen"
CONTRACT: Final = "v1"
QUEUE: Final = "pg_outbox"

HEALTH_OUTSIDE: Final = ("status", "service", "version", "queue", "db", "time_utc")  # of contract v1

_UUID: Final = {"type": "string", "format": "uuid"}
_REQUEST_ID: Final = {"type": "string", "minLength": 8, "maxLength": 128}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_VERSION: Final = {
    "service": {"type": "string", "const": SERVICE},
    "version": {"type": "string", "const": CONTRACT, "description": "The contract, not the release."},
}
_TIME: Final = {"type": "string", "format": "date-time"}
_STATE: Final = {"type": "string", "enum": ["ok", "degraded", "down", "unknown"]}
_COUNT: Final = {"type": ["integer", "null"], "minimum": 0}


def _object(description: str, /, **members: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": list(members),
        "properties": members,
    }


_ERROR: Final = _object(
    "One error in a submission.",
    pointer={"type": "string", "description": "The location in the body, as an RFC 6901 JSON pointer."},
    field={"type": "string", "description": "The same location with dots."},
    code={"type": "string", "description": "The kind of error, for programs."},
    detail={"type": "string", "description": "What is expected, for people."},
)

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "Accepted": {
        **_object(
            "The submission is stored permanently. A retry gets the same response.",
            status={"type": "string", "const": "accepted"},
            intake_id={**_UUID, "description": "The id of the submission."},
            request_id={
                **_REQUEST_ID,
                "description": "The id of the request that stored it: its X-Request-Id, or a new one.",
            },
            received_at_utc=_TIME,
            flags={**_TEXTS, "description": "What a person should look at; `/docs#flags` explains each of them."},
            ignored={**_TEXTS, "description": "Members that contract v1 does not name; they are stored."},
        ),
        "required": ["status", "intake_id", "request_id", "received_at_utc"],
    },
    "SubmissionStatus": _object(
        "The status of a submission.",
        status={
            "type": "string",
            "enum": ["queued", "done", "dead"],
            "description": "`queued`: becomes a lead; `done`: is a lead; `dead`: an operator has to look at it.",
        },
        intake_id=_UUID,
        request_id=_REQUEST_ID,
        received_at_utc=_TIME,
        finished_at_utc={"type": ["string", "null"], "format": "date-time"},
    ),
    "Health": {
        **_object(
            "What works and what does not. Through the edge, only what contract v1 has.",
            status={"type": "string", "enum": ["ok", "degraded"]},
            **_VERSION,
            queue={"type": "string", "const": QUEUE, "description": "Where accepted submissions wait."},
            db=_STATE,
            time_utc=_TIME,
            release={"type": "string"},
            dependencies={"type": "object", "additionalProperties": _STATE},
            fault={
                "type": ["string", "null"],
                "description": "Why no submission can be stored now, e.g. `disk full`.",
            },
            backlog={**_COUNT, "description": "The number of submissions that are not leads yet."},
            oldest_seconds={
                "type": ["number", "null"],
                "description": "How long the oldest of them has been waiting.",
            },
            dead={**_COUNT, "description": "The number of submissions that an operator has to look at."},
        ),
        "required": list(HEALTH_OUTSIDE),
    },
    "Version": _object(
        "Which service and contract this is.",
        **_VERSION,
        release={"type": "string"},
    ),
    "Ready": _object("A submission could be stored now.", status={"type": "string", "const": "ready"}),
    "Problem": {
        **_object(
            "What went wrong (RFC 9457).",
            type={
                "type": "string",
                "format": "uri-reference",
                "description": "The page about this type of problem.",
            },
            title={"type": "string"},
            status={"type": "integer"},
            code={"type": "string", "description": "Contract v1's word for it, for programs."},
            detail={"type": "string", "description": "What was wrong this time."},
            request_id=_REQUEST_ID,
            errors={
                "type": "array",
                "items": _ERROR,
                "description": "Only with `validation-failed` and `outside-service-area`.",
            },
            served_states={**_TEXTS, "description": "Only if the state is not one of them."},
        ),
        "required": ["type", "title", "status", "code", "detail", "request_id"],
    },
}
