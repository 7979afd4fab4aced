"""What a client may send: bursts, a rate, and so much a day, each client for itself."""

import pytest

from leadgen.domain.quota import DAY_SECONDS, Quota, Quotas

NOON = DAY_SECONDS * 20_000 + DAY_SECONDS // 2
GENEROUS = Quota(rate=2, burst=3, daily_leads=1_000, daily_bytes=1_000_000)


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    clock = Clock()
    quotas = Quotas(GENEROUS, clock)
    assert [quotas.take("a", 1) for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 0.5
    assert [quotas.take("a", 1) for _ in range(2)] == [0, 1]
    clock.now += 1_000
    assert [quotas.take("a", 1) for _ in range(4)] == [0, 0, 0, 1]


def test_a_client_over_its_quota_takes_nothing_from_another() -> None:
    quotas = Quotas(GENEROUS, Clock())
    assert [quotas.take("a", 1) for _ in range(5)].count(0) == 3
    assert quotas.take("b", 1) == 0


def test_to_ask_how_long_to_wait_takes_nothing() -> None:
    clock = Clock()
    quotas = Quotas(GENEROUS, clock)
    assert [quotas.wait("a") for _ in range(9)] == [0] * 9
    assert [quotas.take("a", 1) for _ in range(3)] == [0] * 3
    assert quotas.wait("a") == 1
    clock.now += 0.5
    assert (quotas.wait("a"), quotas.wait("b")) == (0, 0)


@pytest.mark.parametrize(
    "quota",
    [Quota(9, 9, daily_leads=2, daily_bytes=99), Quota(9, 9, daily_leads=99, daily_bytes=20)],
)
def test_a_day_has_its_cap_and_ends_at_midnight(quota: Quota) -> None:
    clock = Clock(NOON + 0.5)
    quotas = Quotas(quota, clock)
    assert [quotas.take("a", 10) for _ in range(3)] == [0, 0, DAY_SECONDS // 2]
    clock.now += DAY_SECONDS // 2
    assert quotas.take("a", 10) == 0


def test_a_clock_that_is_set_back_takes_no_tokens_away() -> None:
    clock = Clock()
    quotas = Quotas(GENEROUS, clock)
    assert quotas.take("a", 1) == 0
    clock.now -= 60
    assert [quotas.take("a", 1) for _ in range(3)] == [0, 0, 1]
