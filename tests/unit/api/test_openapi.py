"""The OpenAPI document: whole, true to the schemas and the catalogue, with examples that are valid."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from marshmallow import Schema

from leadgen.api import openapi
from leadgen.api.parts import Section, Sections
from leadgen.api.problems import CATALOGUE, MEDIA_TYPE
from leadgen.api.reading import Request, read
from leadgen.api.schema_walk import example, members
from leadgen.api.schemas import CONTACT_METHODS, TIMELINE_MODES, Submission
from leadgen.config import Config
from leadgen.domain.service_types import SERVICE_TYPES

Json = dict[str, Any]
CONFIG = Config(
    database_url="postgresql://motorcade_api@127.0.0.1/app",
    redis_url="redis://127.0.0.1",
    api_keys_file=Path("/nowhere"),
    service_area_states=frozenset({"TX", "OK"}),
    public_url="https://motorcade.vip/api/lead",
)
API = openapi.build(CONFIG)
OPERATIONS = [
    (f"{method} {path}", operation)
    for path, operations in API["paths"].items()
    for method, operation in operations.items()
]


def checker(name: str) -> jsonschema_rs.Draft202012Validator:
    whole = {"$ref": f"#/components/schemas/{name}", "components": API["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def walk(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from walk(member)
    elif isinstance(value, list):
        for member in value:
            yield from walk(member)


def test_it_is_openapi_3_1_and_says_where_the_api_is() -> None:
    assert API["openapi"] == "3.1.0"
    assert API["servers"] == [{"url": "https://motorcade.vip/api/lead"}]
    assert json.loads(json.dumps(API)) == API


def test_every_reference_leads_somewhere() -> None:
    references = {part["$ref"] for part in walk(API) if "$ref" in part}
    known = {f"#/components/schemas/{name}" for name in API["components"]["schemas"]}
    assert references == known - {"#/components/schemas/Submission"} | {"#/components/schemas/Submission"}


@pytest.mark.parametrize("name", API["components"]["schemas"])
def test_every_schema_is_a_json_schema(name: str) -> None:
    jsonschema_rs.meta.validate(API["components"]["schemas"][name])


def test_the_example_of_a_submission_is_complete_and_valid_for_it_and_for_us() -> None:
    body = API["paths"]["/intake"]["post"]["requestBody"]["content"]["application/json"]
    assert checker("Submission").is_valid(body["example"])
    read(body["example"], CONFIG.service_area_states, Request(strict=True))
    assert set(body["example"]) == set(Submission().fields)


def declared(part: Schema, path: str = "") -> Iterator[tuple[str, bool]]:
    """What marshmallow itself will read: the path of each member, and whether it has to be there."""
    for name, field in part.fields.items():
        here = f"{path}{name}"
        yield here, field.required
        listed = isinstance(field, Sections)
        inner = field.inner if isinstance(field, Sections) else field
        if isinstance(inner, Section):
            yield from declared(inner.schema, f"{here}[]." if listed else f"{here}.")


def test_it_names_every_member_that_we_read_and_whether_it_is_required() -> None:
    assert [(path, needed) for path, needed, _ in members(API, "Submission")] == list(declared(Submission()))


def test_every_example_of_a_member_fits_the_member() -> None:
    for path, _, schema in members(API, "Submission"):
        for value in schema.get("examples", ()):
            assert jsonschema_rs.is_valid(schema, value, validate_formats=True), path


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("full_name", 5),
        ("email", "nobody"),
        ("phone", 5),
        ("preferred_contact_method", "fax"),
    ],
)
def test_it_refuses_what_no_program_should_send(member: str, value: object) -> None:
    body = example(API, "Submission")
    body["contact"] = {**body["contact"], member: value}
    assert not checker("Submission").is_valid(body)


def test_it_says_that_an_address_and_a_time_must_be_there() -> None:
    contact = {"full_name": "Maria"}
    assert not checker("Contact").is_valid(contact)
    assert checker("Contact").is_valid({**contact, "email": "maria@example.com"})
    assert checker("Contact").is_valid({**contact, "phone": "512 555 0142"})
    assert not checker("Timeline").is_valid({"end_local": "2026-03-14"})
    assert checker("Timeline").is_valid({"mode": "flexible"})


def test_it_shows_the_states_that_are_served_here() -> None:
    location = API["components"]["schemas"]["Location"]["properties"]
    assert location["state"]["enum"] == ["OK", "TX"]


def test_it_shows_the_allowed_words_and_numbers() -> None:
    wish = API["components"]["schemas"]["Wish"]["properties"]
    contact = API["components"]["schemas"]["Contact"]["properties"]
    timeline = API["components"]["schemas"]["Timeline"]["properties"]
    assert wish["service_type"]["enum"] == list(SERVICE_TYPES)
    assert timeline["mode"]["enum"] == list(TIMELINE_MODES)
    assert contact["preferred_contact_method"]["enum"] == list(CONTACT_METHODS)
    assert "200 characters" in contact["full_name"]["description"]
    assert wish["headcount"] | {"minimum": 1, "maximum": 100_000} == wish["headcount"]


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_every_error_answer_is_a_problem_with_examples_of_that_status(name: str, operation: Json) -> None:
    for status, response in operation["responses"].items():
        assert "X-Request-Id" in response["headers"], name
        if int(status) < 400:
            kinds = [] if status == "204" else ["text/plain" if name == "get /metrics" else "application/json"]
            assert list(response.get("content", {})) == kinds
            continue
        examples = response["content"][MEDIA_TYPE]["examples"]
        assert examples
        for slug, shown in examples.items():
            assert CATALOGUE[slug].status == shown["value"]["status"] == int(status)
            assert checker("Problem").is_valid(shown["value"])


def test_every_problem_of_the_catalogue_is_shown_somewhere() -> None:
    shown = {
        slug
        for _, operation in OPERATIONS
        for response in operation["responses"].values()
        for slug in response.get("content", {}).get(MEDIA_TYPE, {"examples": {}})["examples"]
    }
    assert shown == set(CATALOGUE)


@pytest.mark.parametrize(("name", "guarded"), [("post /intake", True), ("get /health", False)])
def test_it_says_which_operations_need_a_key(name: str, *, guarded: bool) -> None:
    operation = dict(OPERATIONS)[name]
    assert bool(operation["security"]) == guarded
    assert ("401" in operation["responses"]) == guarded


def test_another_service_area_makes_another_document() -> None:
    here = Config(database_url="", redis_url="", api_keys_file=Path())
    states = openapi.build(here)["components"]["schemas"]["Location"]["properties"]["state"]
    assert (states["enum"], states["examples"]) == (["TX"], ["TX"])
