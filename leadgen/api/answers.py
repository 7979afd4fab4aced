"""The API's responses as JSON Schema: the views write them, OpenAPI shows them, tests keep both in step."""

from typing import Any, Final

_UUID: Final = {"type": "string", "format": "uuid"}
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
    code={"type": "string", "description": "The kind of error, for programs."},
    detail={"type": "string", "description": "What is expected, for people."},
)

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "Accepted": _object(
        "The submission is stored permanently. A retry gets the same response.",
        intake_id={**_UUID, "description": "The id of the submission."},
        request_id={
            **_UUID,
            "description": "The id of the request that stored it; give it to the operator when you ask about it.",
        },
        status={"type": "string", "const": "queued"},
    ),
    "SubmissionStatus": _object(
        "The status of a submission.",
        intake_id=_UUID,
        request_id=_UUID,
        status={
            "type": "string",
            "enum": ["queued", "done", "dead"],
            "description": "`queued`: becomes a lead; `done`: is a lead; `dead`: an operator has to look at it.",
        },
        received_at=_TIME,
        finished_at={"type": ["string", "null"], "format": "date-time"},
    ),
    "Health": _object(
        "What works and what does not.",
        status={"type": "string", "enum": ["ok", "degraded"]},
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
            detail={"type": "string", "description": "What was wrong this time."},
            request_id=_UUID,
            errors={"type": "array", "items": _ERROR, "description": "Only with `validation-failed`."},
            served_states={
                "type": "array",
                "items": {"type": "string"},
                "description": "Only with `outside-service-area`.",
            },
        ),
        "required": ["type", "title", "status", "detail", "request_id"],
    },
}
