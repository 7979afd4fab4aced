"""The API against its own description: whatever schemathesis thinks of gets an answer that is described."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from leadgen.api.schema_walk import Json, example, members
from tests.integration.api.caller import Caller, Keys, assert_problem

# A generated key that comes again with another body is rightly refused, as is an address that only looks right.
EXCLUDED: list[CheckFunction] = [positive_data_acceptance]
# Of a member alone; what its own members are asked is looked at there.
SAYS_NOTHING = {"description", "examples", "properties", "items", "required"}
# From the keyword's value and the valid value of the member.
VIOLATIONS: dict[str, Callable[[Any, Any], object]] = {
    "type": lambda *_: 0.5,
    "enum": lambda *_: "no such word",
    "pattern": lambda *_: "no such word",
    "format": lambda *_: "no such thing",
    "minLength": lambda least, _: " " * least,
    "minimum": lambda least, _: least - 1,
    "maximum": lambda most, _: most + 1,
    "maxItems": lambda most, given: given * (most + 1),
    "maxProperties": lambda most, _: {str(number): "x" for number in range(most + 1)},
    "additionalProperties": lambda _, given: {**given, "unknown": {}},
    "anyOf": lambda rules, given: {name: given[name] for name in given if {"required": [name]} not in rules},
}
STRICT = {"Prefer": "handling=strict"}
OPERATIONS = {
    *("POST /intake", "GET /intake/{intake_id}"),
    *("GET /health", "GET /ready", "GET /version", "GET /metrics"),
}


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_description_allows(app: Flask, keys: Keys, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_wsgi("/lead/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    statuses: set[int] = set()
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not operation.body and not any(operation.iter_parameters()):
            continue  # nothing in it can be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)
        def check(case: schemathesis.Case[Any]) -> None:
            headers = {"Authorization": f"Bearer {keys.of['wordpress']}"}
            if mode is GenerationMode.NEGATIVE:
                headers |= STRICT  # otherwise most of what is wrong is a lead with a flag
            statuses.add(case.call_and_validate(headers=headers, excluded_checks=EXCLUDED).status_code)

        check()
    assert {operation.label for operation in operations} == OPERATIONS
    # A run in which all or no requests are rejected would prove little. An error that the API ignores, such as an
    # unknown header, may be accepted: schemathesis judges that, and reports it.
    assert 202 in statuses or mode is GenerationMode.NEGATIVE
    assert 422 in statuses or 404 in statuses


def test_strict_mode_refuses_each_violation_of_the_schema_where_it_is(app: Flask, keys: Keys) -> None:
    described = app.test_client().get("/lead/openapi.json").get_json()
    caller = Caller(app, keys.of["wordpress"])
    valid = example(described, "Submission")
    assert caller.post(valid, **STRICT).status_code == 202
    tried = 0
    for path, required, schema in members(described, "Submission"):
        for keyword, value in violations(schema, member(valid, path), required=required):
            answer = caller.post(changed(valid, path, value), **STRICT)
            errors = assert_problem(answer, 422, "validation-failed")["errors"]
            place = path.replace("[]", ".0")
            assert all(error["field"].startswith(place) for error in errors), f"{path}, {keyword}: {errors}"
            tried += 1
    assert tried > 80


def violations(schema: Json, given: object, *, required: bool) -> Iterator[tuple[str, object]]:
    """A value that violates each keyword of a member's schema; None for a missing member."""
    for keyword, rule in schema.items():
        if keyword in SAYS_NOTHING or (keyword, rule) == ("format", "email"):
            continue  # what people type is not refused for its form
        yield keyword, VIOLATIONS[keyword](rule, given)
    if required:
        yield "required", None


def member(document: Json, path: str) -> Any:  # noqa: ANN401 - any JSON value
    part: Any = document
    for step in path.replace("[]", ".0").split("."):
        part = part[int(step)] if step.isdigit() else part[step]
    return part


def changed(document: Json, path: str, value: object) -> Json:
    """The document with another value at that path; None takes the member away."""
    document = deepcopy(document)
    above, _, last = path.rpartition(".")
    part = member(document, above) if above else document
    if value is None:
        del part[last]
    else:
        part[last] = value
    return document
