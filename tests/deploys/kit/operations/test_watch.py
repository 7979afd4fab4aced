"""A watch restarts what fails to answer three times in a row, so many times an hour at most, and nothing else."""

import os
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploys.kit.operations import watch
from deploys.kit.operations.watch import RECOVERIES_AN_HOUR, Question

SYSTEMCTL = """#!/bin/sh
case $1 in
    show) cat "$RUNTIME_DIRECTORY/unit" ;;
    *) echo "$*" >>"$RUNTIME_DIRECTORY/done" ;;
esac
"""


class Service(socketserver.ThreadingTCPServer):
    """A program that answers every line with `answer`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answer = b"-NOAUTH Authentication required.\r\n"
        self.asked: list[bytes] = []


class Answer(socketserver.StreamRequestHandler):
    server: Service

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline())
        self.wfile.write(self.server.answer)


@dataclass(frozen=True)
class Host:
    """A folder in which the program of a watch runs, with a systemctl that only notes what it was told."""

    folder: Path
    service: Service

    def is_in_its(self, life: str, state: str = "active") -> None:
        (self.folder / "unit").write_text(f"ActiveState={state}\nInvocationID={life}\n", encoding="ascii")

    def recovered(self, *seconds_ago: int, also: str = "") -> None:
        times = "".join(f"{int(time.time()) - ago}\n" for ago in seconds_ago)
        (self.folder / "recoveries").write_text(f"{times}{also}", encoding="ascii")

    def watch(self) -> int:
        places = dict.fromkeys(("RUNTIME_DIRECTORY", "STATE_DIRECTORY"), str(self.folder))
        environ = {**os.environ, **places, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.run([self.folder / "watch"], env=environ, timeout=30, check=False).returncode

    def ends(self, times: int) -> list[int]:
        return [self.watch() for _ in range(times)]

    @property
    def told(self) -> list[str]:
        """What systemctl was told to do."""
        file = self.folder / "done"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


RESTART = "try-restart --no-block motorcade-x.service"


@pytest.fixture(params=["file"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        (tmp_path / "address").write_text("127.0.0.1\n", encoding="ascii")
        address = f"{tmp_path}/address" if request.param == "file" else request.param
        question = Question(address, service.server_address[1], "localhost", r"PING now\r\n", "-NOAUTH")
        page = SimpleNamespace(id="PLAT_99")
        program = watch.files(page, "motorcade-x-watch", "motorcade-x.service", question)[0]  # type: ignore[arg-type]  # its id is all that is asked of it
        for name, text in {"watch": program.content, "systemctl": SYSTEMCTL}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            (tmp_path / name).chmod(0o755)
        made = Host(tmp_path, service)
        made.is_in_its("a1")
        yield made
        service.shutdown()


@pytest.mark.parametrize("host", ["file", "127.0.0.1"], indirect=True)
def test_who_answers_is_asked_and_left_alone(host: Host) -> None:
    assert host.ends(5) == [0] * 5
    assert host.service.asked == [b"PING now\r\n"] * 5
    assert host.told == []


def test_the_third_miss_in_a_row_restarts_it_and_the_count_begins_anew(host: Host) -> None:
    host.service.answer = b"-ERR\r\n"
    assert host.ends(2) == [0, 0]
    assert host.told == []
    assert host.ends(1) == [0]
    assert host.told == [RESTART]
    assert host.ends(2) == [0, 0]
    assert host.told == [RESTART]


def test_who_accepts_and_says_nothing_does_not_answer(host: Host) -> None:
    host.service.answer = b""
    assert host.ends(3) == [0] * 3
    assert host.told == [RESTART]


def test_an_answer_between_ends_the_row(host: Host) -> None:
    for answer in (b"no\r\n", b"no\r\n", b"-NOAUTH\r\n", b"no\r\n", b"no\r\n"):
        host.service.answer = answer
        host.watch()
    assert host.told == []


@pytest.mark.parametrize(("life", "state"), [("b2", "active"), ("a1", "activating"), ("", "failed")])
def test_another_life_of_it_owes_nothing_for_the_last_one(host: Host, life: str, state: str) -> None:
    host.service.answer = b"no\r\n"
    host.ends(2)
    host.is_in_its(life, state)
    host.ends(1)
    host.is_in_its(life or "b2")
    host.ends(1)
    assert host.told == []


@pytest.mark.parametrize("state", ["inactive", "failed", "activating", "deactivating"])
def test_who_is_not_active_is_not_even_asked(host: Host, state: str) -> None:
    host.is_in_its("a1", state)
    assert host.ends(4) == [0] * 4
    assert host.service.asked == []
    assert host.told == []


def test_after_so_many_recoveries_within_the_hour_it_fails_and_touches_nothing(host: Host) -> None:
    host.service.answer = b"no\r\n"
    for life in range(RECOVERIES_AN_HOUR):
        host.is_in_its(f"c{life}")
        assert host.ends(3) == [0] * 3
    host.is_in_its("d4")
    assert host.ends(5) == [0, 0, 1, 1, 1]
    assert host.told == [RESTART] * RECOVERIES_AN_HOUR


def test_recoveries_before_the_hour_in_the_future_or_illegible_do_not_count(host: Host) -> None:
    host.service.answer = b"no\r\n"
    host.recovered(7200, 3601, -86400, also="\nabc\n09\n")
    assert host.ends(3) == [0] * 3
    assert host.told == [RESTART]
    assert len((host.folder / "recoveries").read_text(encoding="ascii").splitlines()) == 1


def test_an_address_that_is_not_known_is_the_failure_of_the_watch_alone(host: Host) -> None:
    (host.folder / "address").unlink()
    assert host.ends(4) == [1] * 4
    assert host.told == []


def test_a_systemd_that_does_not_answer_is_no_unit_that_is_stopped(host: Host) -> None:
    (host.folder / "unit").unlink()
    assert host.ends(1) == [1]
