"""The record on a host: chained, checked before each append, and honest about what a power cut left."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploys.kit.facts import digest
from deploys.kit.run import deployments, record

Lines = list[bytes]


def event(number: int, kind: str, **more: object) -> dict[str, object]:
    run = f"run-20261121-10300{number}-3f2a"
    said = {
        "time": "2026-11-21T10:30:00+00:00",
        "pages": ["PLAT_02B"],
        "host": "web-01",
        "who": "ana",
        "from": "desk",
    }
    return {"run": run, "event": kind, **said, "git": "2d466de", "dirty": False, **more}


def shell(command: str) -> list[str]:
    return subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.splitlines()


def end_of(directory: Path) -> record.Tail:
    return record.read_tail(shell(record.read_command(str(directory))))


def append(directory: Path, *events: record.Event) -> record.Tail:
    tail = end_of(directory)
    lines, end = record.chain(tail, events)
    shell(record.append_command(str(directory), tail, lines))
    return end


def lines_of(directory: Path) -> Lines:
    with Path(directory, "record.jsonl").open("rb") as file:
        return file.readlines()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A record of three runs in six lines, with what a shell could stumble over."""
    for number in range(3):
        append(tmp_path, event(number, "STARTED", reason='it\'s "$HOME" `x` %s \\n é\n'))
        append(tmp_path, event(number, "OK", changed=1, failed=0))
    return tmp_path


def test_a_record_as_it_was_written_has_no_fault(written: Path) -> None:
    assert record.verify(lines_of(written)) == []
    assert [json.loads(line)["line"] for line in lines_of(written)] == [1, 2, 3, 4, 5, 6]
    assert json.loads(lines_of(written)[0])["reason"] == 'it\'s "$HOME" `x` %s \\n é\n'


def test_what_was_appended_is_what_is_read_back(written: Path) -> None:
    end = append(written, event(3, "INTERRUPTED"), event(4, "STARTED"))
    found = end_of(written)
    assert (found.count, found.last, found.torn) == (8, end.last, False)
    assert found.last == digest(lines_of(written)[-1].rstrip(b"\n"))
    assert record.verify(lines_of(written)) == []


def test_nothing_is_appended_to_a_record_that_somebody_else_has_continued(written: Path) -> None:
    tail = end_of(written)
    append(written, event(3, "STARTED"))
    before = lines_of(written)
    late, _ = record.chain(tail, [event(4, "STARTED")])
    with pytest.raises(subprocess.CalledProcessError):
        shell(record.append_command(str(written), tail, late))
    assert lines_of(written) == before


def changed(lines: Lines) -> Lines:
    return [line.replace(b"ana", b"eve") if number == 3 else line for number, line in enumerate(lines, 1)]


def removed(lines: Lines) -> Lines:
    return lines[:2] + lines[3:]


def beheaded(lines: Lines) -> Lines:
    return lines[1:]


def moved(lines: Lines) -> Lines:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def torn(lines: Lines) -> Lines:
    return [*lines[:-1], lines[-1][:40]]


def inserted(lines: Lines) -> Lines:
    return [*lines[:2], b'{"a": 1}\n', *lines[2:]]


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (changed, "line 3: changed"),
        (removed, "line 3: was written as line 4"),
        (beheaded, "line 1: was written as"),
        (moved, "line 3: was written as line 4"),
        (torn, "line 6: torn"),
        (inserted, "line 3: torn, or not written"),
    ],
)
def test_each_way_to_tamper_is_found_by_its_line(
    written: Path, tamper: Callable[[Lines], Lines], found: str
) -> None:
    assert record.verify(tamper(lines_of(written)))[0].startswith(found)


def test_the_line_after_a_torn_one_goes_on_from_what_was_left(written: Path) -> None:
    with (written / "record.jsonl").open("ab") as file:
        file.write(b'{"line": 7, "pre\x00\xff')
    assert end_of(written).torn
    append(written, event(3, "STARTED"), event(3, "OK"))
    lines = lines_of(written)
    assert record.verify(lines) == []
    assert [json.loads(line).get("mends") for line in lines[7:]] == [True, None]
    assert record.verify([*lines[:6], lines[6].replace(b"7", b"8"), *lines[7:]])[0].startswith("line 7: torn")


def test_a_line_that_lacks_only_its_end_is_whole_again_with_the_next(written: Path) -> None:
    path = written / "record.jsonl"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    append(written, event(3, "STARTED"))
    assert record.verify(lines_of(written)) == []
    assert len(lines_of(written)) == 7


def test_a_run_is_open_until_it_is_closed(tmp_path: Path) -> None:
    assert record.unclosed(end_of(tmp_path).lines) is None
    append(tmp_path, event(1, "STARTED"))
    found = record.unclosed(end_of(tmp_path).lines)
    assert found is not None
    assert found["run"] == event(1, "STARTED")["run"]
    append(tmp_path, event(1, "FAILED"))
    assert record.unclosed(end_of(tmp_path).lines) is None


def quoted(end: record.Tail) -> str:
    figures = {"changed": 0, "failed": 0}
    return deployments.entry(event(3, "OK", **figures), end)


def test_a_cut_or_changed_end_is_found_by_what_a_page_quotes(written: Path) -> None:
    page = quoted(append(written, event(3, "OK")))
    lines = lines_of(written)
    assert record.unlike(lines, page) == []
    assert record.unlike(lines[:-1], page)[0].startswith("line 7: differs from the line")
    assert record.unlike([*lines[:-1], lines[-1].replace(b"ana", b"eve")], page)[0].startswith(
        "line 7: differs from the line"
    )


def test_a_page_may_quote_other_hosts_and_what_a_lost_host_never_wrote(written: Path) -> None:
    lost = record.Tail(7, "ab" * 32, torn=False)
    page = quoted(lost)
    assert len(record.unlike(lines_of(written), page)) == 1
    assert record.unlike(lines_of(written), page.replace("web-01", "web-02")) == []
    assert record.unlike(lines_of(written), page + deployments.unrecorded(event(3, "OK"), lost, "lost")) == []


def test_the_command_ends_with_one_when_anything_is_wrong(written: Path) -> None:
    run = CliRunner().invoke
    path = written / "record.jsonl"
    assert run(record.record, ["verify", str(path)]).exit_code == 0
    assert "OK          run-20261121-103002-3f2a PLAT_02B" in run(record.record, ["show", str(path)]).output
    path.write_bytes(b"".join(changed(lines_of(written))))
    answer = run(record.record, ["verify", str(path)])
    assert (answer.exit_code, "line 3: changed" in answer.output) == (1, True)
