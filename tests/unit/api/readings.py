"""How tests read a submission: into its columns, or to its faults."""

import copy
from typing import Any

import pytest

from leadgen.api.problems import Problem
from leadgen.api.reading import Reading, Request, read
from tests.submissions import VALID

TEXAS = frozenset({"TX"})
STRICT = Request(strict=True)
SITE = Request(flat=True, default_state="TX")
Json = dict[str, Any]


def at(pointer: str, value: object = ..., *, document: Json = VALID) -> Json:
    """A copy of the document with another value at that place, or with none."""
    changed = copy.deepcopy(document)
    *way, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    place: Any = changed
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


def reading(document: Json, request: Request = Request()) -> Reading:  # noqa: B008 - it is frozen
    return read(document, TEXAS, request)


def faults(document: Json, request: Request = Request()) -> list[tuple[str, str]]:  # noqa: B008 - it is frozen
    with pytest.raises(Problem) as caught:
        read(document, TEXAS, request)
    assert caught.value.kind.slug == "validation-failed"
    errors: Any = caught.value.extensions["errors"]
    for error in errors:
        assert list(error) == ["pointer", "field", "code", "detail"]
        assert error["detail"].endswith(".")
    return [(error["pointer"], error["code"]) for error in errors]
