"""The samples of a host's last day: written by its check within bounds, and read whatever has damaged them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from deploys.kit.facts import Answer
from deploys.services.alerts import alerts, samples
from tests.deploys.known_host import KnownHost
from tests.deploys.services.alerts.checked_host import Host

NOW = datetime(2026, 11, 27, 18, 40, tzinfo=UTC)


def on(*lines: str) -> Any:  # noqa: ANN401 - a host of which everything is known
    return KnownHost(probes={alerts.SAMPLES: Answer(0, [f"{NOW:%FT%TZ}", *lines])})


def minute(ago: float, words: str = "alarms=0 disk=41") -> str:
    return f"{NOW - timedelta(minutes=ago):%FT%TZ} {words}"


@pytest.fixture
def file(world: Path) -> Path:
    return world / "samples"


def test_a_check_adds_a_line_of_all_that_it_could_measure(host: Host, file: Path) -> None:
    host.health(backlog=7, oldest_seconds=3.9, dead=2)
    host.recorded()
    (sample,) = samples.parse(file.read_text().splitlines())
    assert datetime.now(UTC) - sample.at < timedelta(seconds=30)
    assert sample.values == {
        "alarms": 1,
        "disk": 10,
        "ready": 200,
        "ready_ms": 12,
        "queue": 7,
        "oldest": 3,
        "dead": 2,
        "accepted": 1234567,
    }


def test_what_could_not_be_measured_is_left_out(host: Host, file: Path) -> None:
    host.set("ready", "\n000 0.000000")
    for name in ("health", "metrics"):
        host.set(name, "")
    host.recorded()
    (sample,) = samples.parse(file.read_text().splitlines())
    assert sample.values == {"alarms": 1, "disk": 10, "ready": 0}


def test_a_host_without_the_intake_samples_the_rest(host: Host, file: Path) -> None:
    host.values |= {"app": False}
    host.recorded()
    (sample,) = samples.parse(file.read_text().splitlines())
    assert sample.values == {"alarms": 0, "disk": 10}


def test_only_the_check_of_the_timer_adds_a_line(host: Host, file: Path) -> None:
    host.run()
    assert not file.exists()


def test_samples_never_grow_beyond_their_bounds(host: Host, file: Path) -> None:
    host.values |= {"samples_kept": 20, "samples_bytes": 4000}
    file.write_text("".join(f"{minute(ago)}\n" for ago in range(120, 0, -1)))
    assert file.stat().st_size > 4000
    host.recorded()
    lines = file.read_text().splitlines()
    assert lines[:-1] == [minute(ago) for ago in range(20, 0, -1)]
    file.write_bytes(b"x" * 1_000_000)  # not even lines
    host.recorded()
    assert file.stat().st_size < 4000
    assert len(list(samples.parse(file.read_text().splitlines()))) == 1


@pytest.mark.parametrize("damage", [b"2026-11-27T18:3", b"\0\0\0", b"\n\n", b"\xff\xfe\n", b"%s%n$(id)`"])
def test_a_damaged_line_spoils_no_other(host: Host, file: Path, damage: bytes) -> None:
    host.recorded()
    first = file.read_bytes()
    file.write_bytes(first + damage)
    host.recorded()
    lines = file.read_text(errors="replace").splitlines()
    assert len(list(samples.parse(lines))) == 2
    assert first.decode().strip() in lines


def test_the_check_does_its_work_without_a_place_for_samples(host: Host, file: Path) -> None:
    file.mkdir()
    host.health(dead=1)
    assert [line[0] for line in host.recorded()] == ["checked", "intake-dead"]


def test_the_last_day_is_read_in_its_order_and_nothing_else() -> None:
    read = samples.read(on(minute(1), minute(5), minute(1441), minute(-5), minute(1439)))
    assert [NOW - each.at for each in read.samples] == [timedelta(minutes=ago) for ago in (1439, 5, 1)]
    assert read.now == NOW


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026-11-27T18:3",
        minute(1, "disk=4\0"),
        minute(1, "disk=-4"),
        minute(1, "disk"),
        minute(1, "<script>=1"),
        minute(1, f"disk={'9' * 40}"),
        minute(1, "disk=٣"),
        "2026-13-45T99:00:00Z disk=4",
        "tail: cannot open it",
    ],
)
def test_what_is_no_sample_is_left_out(line: str) -> None:
    assert [each.values for each in samples.read(on(line, minute(2, "queue=1"))).samples] == [{"queue": 1}]


@pytest.mark.parametrize("answer", [Answer(1, []), Answer(124, ["sh: date: not found"])])
def test_a_host_without_samples_has_an_empty_day(answer: Answer) -> None:
    day = samples.read(cast("Any", KnownHost(probes={alerts.SAMPLES: answer})))
    assert day.samples == []
    assert datetime.now(UTC) - day.now < timedelta(minutes=1)
