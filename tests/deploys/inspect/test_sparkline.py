"""Pictures of the last day: what a host has measured is drawn where it was, and what it has not is a gap."""

from datetime import UTC, datetime, timedelta

import pytest

from deploys.inspect import sparkline
from deploys.inspect.sparkline import STEPS, Band, Line, Strip
from deploys.services.alerts.samples import Day, Sample

NOW = datetime(2026, 11, 27, 18, 40, tzinfo=UTC)


def day(**ago: dict[int, int]) -> Day:
    """Each word with its values by how many minutes ago they were measured."""
    minutes = sorted({minute for values in ago.values() for minute in values}, reverse=True)
    return Day(
        NOW,
        [
            Sample(
                NOW - timedelta(minutes=minute),
                {word: values[minute] for word, values in ago.items() if minute in values},
            )
            for minute in minutes
        ],
    )


def drawn(of: Day, title: str) -> Line:
    (found,) = (chart for chart in sparkline.charts(of) if chart.title == title)
    assert isinstance(found, Line)
    return found


def strip(of: Day, title: str) -> Strip:
    (found,) = (chart for chart in sparkline.charts(of) if chart.title == title)
    assert isinstance(found, Strip)
    return found


def test_a_day_without_samples_has_no_pictures() -> None:
    assert sparkline.charts(Day(NOW, [])) == []


def test_a_host_shows_what_it_has_and_no_more() -> None:
    assert [chart.title for chart in sparkline.charts(day(disk={1: 40}))] == ["Fullest disk"]


def test_a_number_is_drawn_at_its_step_and_height() -> None:
    line = drawn(day(disk={1439: 50, 1: 100, 2: 20}), "Fullest disk")
    assert line.outline == "M0 16H1M143 1H144"
    assert line.area == "M0 16H1V32H0ZM143 1H144V32H143Z"
    assert (line.now, line.rest) == ("100 %", "peak 100 %")


def test_neighbours_are_joined_and_a_zero_is_on_the_ground_but_inside() -> None:
    assert drawn(day(queue={25: 0, 15: 10, 5: 0}), "Queue").outline == "M141 31H142V1H143V31H144"


def test_small_numbers_do_not_look_like_peaks() -> None:
    assert drawn(day(ready_ms={1: 2}), "Time to say ready").outline == "M143 28H144"


def test_accepted_submissions_are_counted_from_sample_to_sample_also_over_a_restart() -> None:
    line = drawn(day(accepted={700: 5, 25: 100, 24: 103, 14: 110, 13: 2, 3: 2}), "Accepted in 10 min")
    assert (line.now, line.rest) == ("0", "12 in all")
    assert line.outline.startswith("M141 ")


def test_one_bad_minute_makes_its_step_bad_and_a_gap_is_neither() -> None:
    found = strip(day(ready={1425: 200, 35: 200, 25: 200, 24: 503, 23: 200, 5: 200}), "Ready for leads")
    assert found.bands == [
        Band(1, 1, good=True),
        Band(140, 1, good=True),
        Band(141, 1, good=False),
        Band(143, 1, good=True),
    ]
    assert (found.now, found.rest) == ("yes", "5 of 6 times")


def test_what_is_drawn_as_now_is_not_a_peak_and_not_older_than_ten_minutes() -> None:
    line = drawn(day(queue={3: 70, 1: 4}), "Queue")
    assert (line.now, line.rest) == ("4", "peak 70")
    old = day(queue={11: 4}, ready={11: 200}, accepted={13: 5, 12: 6})
    assert {drawn(old, title).now for title in ("Queue", "Accepted in 10 min")} == {"unknown"}
    assert strip(old, "Ready for leads").now == "unknown"


def test_an_alarm_now_is_said() -> None:
    found = strip(day(alarms={15: 0, 2: 3}), "Without an alarm")
    assert found.now == "no"
    assert found.bands == [Band(142, 1, good=True), Band(143, 1, good=False)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (90000, "25 h")],
)
def test_a_time_is_written_so_that_a_person_sees_its_size(seconds: int, text: str) -> None:
    assert drawn(day(oldest={1: seconds}), "Oldest queued").now == text


def test_every_step_of_a_whole_day_is_drawn_once() -> None:
    line = drawn(day(disk=dict.fromkeys(range(1440), 1)), "Fullest disk")
    assert line.outline.count("H") == STEPS
    assert line.outline.count("M") == 1


def test_a_sample_of_the_next_minute_is_now() -> None:
    assert drawn(day(disk={-1: 1}), "Fullest disk").outline.startswith("M143 ")
