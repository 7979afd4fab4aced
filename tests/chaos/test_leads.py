"""What the load sends: the same for a key each time, valid unless it is spoilt, and then never."""

import json
from io import BytesIO

import pytest

from leadgen.api import body, schemas
from leadgen.api.problems import Problem
from tests.chaos.leads import SPOILT, dice, digest, make_key, make_lead, spoil

SERVED = frozenset({"TX"})
KEYS = [make_key(dice(number)) for number in range(50)]


def check(sent: bytes) -> None:
    """As the API does. Raises Problem."""
    environ = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(sent)), "wsgi.input": BytesIO(sent)}
    schemas.validate(body.parse(environ), SERVED)


@pytest.mark.parametrize("key", KEYS)
def test_a_lead_is_valid_and_the_same_each_time(key: str) -> None:
    check(json.dumps(make_lead(key)).encode())
    assert make_lead(key) == make_lead(key)


def test_each_key_and_each_edition_has_its_own_lead() -> None:
    digests = {digest(make_lead(key, edition)) for key in KEYS for edition in (0, 1)}
    assert len(digests) == 2 * len(KEYS)


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_lead_is_refused(how: str) -> None:
    with pytest.raises(Problem) as refused:
        check(spoil(make_lead(KEYS[0]), how))
    assert 400 <= refused.value.kind.status < 500
