"""When a server that failed is left alone, and when it is tried again."""

from leadgen.jobs.breaker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def pause_of(breaker: Breaker, clock: Clock) -> float:
    start = clock.now
    while not breaker.closed:
        clock.now += 0.25
    return clock.now - start


def test_a_new_breaker_is_closed() -> None:
    assert Breaker(Clock()).closed


def test_each_failure_doubles_the_pause_up_to_a_bound() -> None:
    breaker = Breaker(clock := Clock())
    pauses = []
    for _ in range(6):
        breaker.trip()
        pauses.append(pause_of(breaker, clock))
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert pauses[0] == FIRST_PAUSE_SECONDS
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_the_pause_stays_bounded_after_a_night_of_failures() -> None:
    breaker = Breaker(clock := Clock())
    for _ in range(20_000):
        breaker.trip()
    assert pause_of(breaker, clock) == LONGEST_PAUSE_SECONDS


def test_an_answer_closes_it_and_forgets_the_failures() -> None:
    breaker = Breaker(clock := Clock())
    breaker.trip()
    breaker.trip()
    breaker.reset()
    assert breaker.closed
    breaker.trip()
    assert pause_of(breaker, clock) == FIRST_PAUSE_SECONDS
