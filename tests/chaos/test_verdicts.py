"""The rules that hold while faults come and go: each finds what breaks it, and lets pass what may be."""

from collections.abc import Sequence

import pytest

from tests.chaos.client import Answer
from tests.chaos.faults import KINDS
from tests.chaos.ledger import Attempt, Wanted
from tests.chaos.load import Result
from tests.chaos.verdicts import (
    Window,
    dishonest,
    invisible,
    not_isolated,
    slow_to_come_back,
    slow_to_drain,
    slow_to_refuse,
    unsafe,
)
from tests.chaos.watcher import Look

PROBLEM = "application/problem+json"


def window(name: str, injected: float = 10.0, healed: float = 14.0, steady: float = 15.0) -> Window:
    return Window((KINDS[name],), injected, injected, healed, healed, steady)


def result(sent: float, answer: Answer, wanted: Wanted = "accept") -> Result:
    return Result(Attempt(1, "key", "body", wanted, sent, sent + answer.seconds, answer.status), answer)


def accepted(sent: float, seconds: float = 0.01) -> Result:
    return result(sent, Answer(seconds, 202, text='{"intake_id": "id"}', media_type="application/json"))


def refused(sent: float, status: int = 503, seconds: float = 5.0) -> Result:
    return result(sent, Answer(seconds, status, media_type=PROBLEM, retry_after="1"))


def look(at: float, oldest: float = 0.0, **dependencies: str) -> Look:
    return Look(at, {"status": "ok", "oldest_seconds": oldest, "dependencies": dependencies})


def test_what_the_contract_allows_is_honest() -> None:
    lead = [accepted(11), refused(11), refused(11, 409, 2.0), accepted(11, 9.0)]
    spoilt = [result(11, Answer(0.1, status, media_type=PROBLEM), "refuse") for status in (409, 422)] + [
        refused(11)
    ]
    assert list(dishonest([*lead, *spoilt], [])) == []


@pytest.mark.parametrize(
    ("dishonesty", "complaint"),
    [
        (result(11, Answer(10.0, failure="silent")), "no answer"),
        (result(11, Answer(0.1, failure="broken")), "connection broken"),
        (result(11, Answer(0.1, 503, media_type=PROBLEM)), "503 without Retry-After"),
        (result(11, Answer(0.1, 409, media_type=PROBLEM)), "409 without Retry-After"),
        (result(11, Answer(0.1, 500, media_type=PROBLEM)), "status 500"),
        (result(11, Answer(0.1, 422, media_type=PROBLEM)), "422 for a valid lead"),
        (result(11, Answer(0.1, 422, media_type="text/html"), "refuse"), "422 as text/html"),
        (result(11, Answer(0.1, 202), "refuse"), "202 for a request that must be refused"),
    ],
)
def test_an_answer_that_the_contract_does_not_know_is_dishonest(dishonesty: Result, complaint: str) -> None:
    (found,) = dishonest([dishonesty], [window("postgres away")])
    assert complaint in found


def test_a_connection_may_break_only_where_its_server_was_hit() -> None:
    broken = result(11, Answer(0.1, failure="broken"))
    assert list(dishonest([broken], [window("api worker killed")])) == []
    assert len(list(dishonest([broken], [window("api worker killed", 20, 21, 22)]))) == 1
    assert len(list(dishonest([broken], [window("redis killed")]))) == 1


def test_refusals_that_take_long_are_found_unless_they_are_few() -> None:
    assert list(slow_to_refuse([])) == []
    assert list(slow_to_refuse([*[refused(11)] * 99, refused(11, seconds=9.0)])) == []
    assert len(list(slow_to_refuse([*[refused(11)] * 90, *[refused(11, seconds=9.0)] * 10]))) == 1


def test_a_submission_that_fails_for_redis_breaks_the_isolation() -> None:
    assert len(list(not_isolated([accepted(11), refused(11)], [window("redis frozen")]))) == 1
    assert list(not_isolated([accepted(11), refused(9)], [window("redis frozen")])) == []
    assert list(not_isolated([refused(11)], [window("postgres away")])) == []


def test_the_keys_that_a_fault_is_about_may_suffer_from_it() -> None:
    held = window("a key held by another writer")
    assert len(list(not_isolated([refused(11, 409)], [held]))) == 1
    held.spared.add("key")
    assert list(not_isolated([refused(11, 409)], [held])) == []


def test_nothing_may_be_accepted_while_a_commit_might_not_survive() -> None:
    fault = window("postgres told to be unsafe")
    assert list(unsafe([accepted(11), refused(13), accepted(13.995), accepted(14.5)], [fault])) == []
    assert len(list(unsafe([accepted(13)], [fault]))) == 1


@pytest.mark.parametrize(
    ("looks", "faults"),
    [
        ([look(11, redis="ok"), look(13, redis="down")], 0),
        ([look(11, redis="ok"), look(13, redis="ok")], 1),
        ([Look(11, None)], 0),
    ],
)
def test_health_has_to_name_what_is_wrong(looks: Sequence[Look], faults: int) -> None:
    assert len(list(invisible(looks, [window("redis away")]))) == faults


def test_who_is_long_in_coming_back_or_in_draining_is_found() -> None:
    assert list(slow_to_come_back([window("redis away")])) == []
    assert len(list(slow_to_come_back([window("redis away", steady=45.0)]))) == 1
    assert list(slow_to_drain([look(1, oldest=59.0)])) == []
    assert len(list(slow_to_drain([look(1, oldest=61.0)]))) == 1


def test_the_longest_outage_is_between_two_202s_or_at_an_end() -> None:
    away = window("postgres away")
    assert away.longest_outage([accepted(10.5), accepted(13.5), accepted(14.9)]) == pytest.approx(3.0)
    assert away.longest_outage([]) == pytest.approx(5.0)
