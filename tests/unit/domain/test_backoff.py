"""When an intake that failed is tried again."""

import pytest

from leadgen.domain.backoff import FIRST_DELAY_SECONDS, MAX_ATTEMPTS, delay_seconds, is_last

DRAWS = 500


@pytest.mark.parametrize("attempts", range(1, 9))
def test_each_failure_doubles_the_rest_and_it_is_spread_over_half_of_it(attempts: int) -> None:
    longest = FIRST_DELAY_SECONDS * 2 ** (attempts - 1)
    delays = [delay_seconds(attempts) for _ in range(DRAWS)]
    assert min(delays) >= longest / 2
    assert max(delays) <= longest
    assert max(delays) - min(delays) > longest / 4


def test_the_last_attempt_is_the_eighth() -> None:
    assert [attempts for attempts in range(1, 20) if not is_last(attempts)] == list(range(1, MAX_ATTEMPTS))
    assert MAX_ATTEMPTS == 8


def test_a_lasting_fault_is_known_within_five_minutes_and_not_before_two() -> None:
    whole = [sum(delay_seconds(attempts) for attempts in range(1, MAX_ATTEMPTS)) for _ in range(DRAWS)]
    assert 120 < min(whole) < max(whole) < 300
