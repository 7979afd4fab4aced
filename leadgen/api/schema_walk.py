"""Walks over the schemas of an OpenAPI document: builds an example of one, and lists its fields."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def example(described: Json, name: str) -> Json:
    """Return a document of that schema, built from the examples of its fields."""
    properties = described["components"]["schemas"][name]["properties"]
    return {name: _example(described, member) for name, member in properties.items()}


def _example(described: Json, schema: Json) -> object:
    schema = _resolve(described, schema)
    if "examples" in schema:
        return schema["examples"][0]
    if schema["type"] == "array":
        return [_example(described, schema["items"])]
    return {name: _example(described, member) for name, member in schema["properties"].items()}


def members(described: Json, name: str) -> Iterator[tuple[str, bool, Json]]:
    """Walk the fields of a schema: the path of each in a document, whether it is required, and its schema."""
    yield from _members(described, described["components"]["schemas"][name], "")


def _members(described: Json, schema: Json, path: str) -> Iterator[tuple[str, bool, Json]]:
    for name, member in schema.get("properties", {}).items():
        inner = _resolve(described, member)
        here = f"{path}{name}"
        yield here, name in schema.get("required", ()), inner
        if inner["type"] == "array":
            yield from _members(described, _resolve(described, inner["items"]), f"{here}[].")
        else:
            yield from _members(described, inner, f"{here}.")


def _resolve(described: Json, schema: Json) -> Json:
    name = schema.get("$ref", "").rpartition("/")[2]
    return described["components"]["schemas"][name] if name else schema
