"""What the load sends: the same for a key each time, a lead unless it is spoilt, and then never."""

import json
from io import BytesIO

import pytest

from leadgen.api import body, reading
from leadgen.api.problems import Problem
from leadgen.api.reading import Reading
from tests.chaos.leads import JSON, ODD, SPOILT, STRICT, dice, digest, make_key, make_lead, make_odd, spoil

SERVED = frozenset({"TX"})
KEYS = [make_key(dice(number)) for number in range(50)]


def parse(sent: bytes) -> JSON:
    environ = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(sent)), "wsgi.input": BytesIO(sent)}
    return body.parse(environ)


def read(sent: bytes, *, strict: bool = False) -> Reading:
    """As the API does. Raises Problem."""
    return reading.read(parse(sent), SERVED, reading.Request(strict=strict))


@pytest.mark.parametrize("key", KEYS)
def test_a_lead_is_accepted_in_either_mode_and_the_same_each_time(key: str) -> None:
    sent = json.dumps(make_lead(key)).encode()
    assert read(sent) == read(sent, strict=True)
    assert make_lead(key) == make_lead(key)


@pytest.mark.parametrize("how", ODD)
def test_what_the_intake_forgives_is_flagged_and_keeps_its_digest(how: str) -> None:
    lead = make_odd(make_lead(KEYS[0]), how)
    sent = json.dumps(lead).encode()
    assert ODD[how] in read(sent).flags
    assert digest(parse(sent)) == digest(lead)


def test_the_load_has_leads_of_every_kind() -> None:
    flags = [tuple(read(json.dumps(make_lead(key)).encode()).flags) for key in KEYS]
    assert {flag for found in flags for flag in found} >= set(ODD.values())
    assert flags.count(()) > len(KEYS) / 2


def test_each_key_and_each_edition_has_its_own_lead() -> None:
    digests = {digest(make_lead(key, edition)) for key in KEYS for edition in (0, 1)}
    assert len(digests) == 2 * len(KEYS)


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("key", KEYS[:10])
def test_a_spoilt_lead_is_refused(how: str, key: str) -> None:
    with pytest.raises(Problem) as refused:
        read(spoil(make_lead(key), how), strict=how == STRICT)
    assert 400 <= refused.value.kind.status < 500


def test_what_only_strict_mode_refuses_is_a_lead_otherwise() -> None:
    assert read(spoil(make_lead(KEYS[0]), STRICT)).ignored == ["remark"]
