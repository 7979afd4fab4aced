"""An advisory of a locked package is red, and a database that is away is NOT RUN: pip-audit asks a local OSV."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.audit import audit
from tests.locks import INSTALL, requirements

PROJECT = Path(__file__).parents[2]
LOCK = PROJECT / "requirements/build.txt"  # the smallest
(LOCKED,) = requirements(LOCK.read_text(encoding="utf-8"))
ADVISORY = "GHSA-aaaa-bbbb-cccc"
ALIAS = "PYSEC-0000-1"  # pip-audit names it first
FIXED = "99999"
UNTIL = "2999-12-31"

Answer = Callable[[dict[str, Any]], object]


class Osv(ThreadingHTTPServer):
    """Answers as OSV does; `asked` has the name of each package, the control's first."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.asked = answer, list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/query"


class Handler(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(query["package"]["name"])
        answer = self.server.answer(query)
        if answer is None:
            self.close_connection = True
            return
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def known(name: str) -> dict[str, Any]:
    fix = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": FIXED}]}
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [fix]}
    return {"vulns": [{"id": ADVISORY, "aliases": [ALIAS], "summary": "bad", "affected": [affected]}]}


def advised(query: dict[str, Any]) -> object:
    """Jinja2 for the control, and the package of the lock."""
    return known(query["package"]["name"])


def clean(query: dict[str, Any]) -> object:
    return known("jinja2") if "version" not in query else {}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with what requirements/audit.txt locks."""
    folder = tmp_path_factory.mktemp("audit") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python, lock = str(folder / "bin/python"), str(PROJECT / "requirements/audit.txt")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    install = ["install", "--quiet", "--no-compile", *INSTALL, "--requirement", lock]
    subprocess.run([*pip, *install], check=True)
    return folder / "bin/python"


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Osv]]:
    running: list[Osv] = []

    def start(answer: Answer) -> Osv:
        running.append(Osv(answer))
        Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def accepted(tmp_path: Path) -> Path:
    return tmp_path / "accepted.yaml"


def audited(python: Path, service: str, *words: str | Path) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "tests.audit", "--python", python, "--service", service, *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_an_advisory_is_named_with_its_fix_and_is_red(python: Path, serve: Callable[[Answer], Osv]) -> None:
    code, lines = audited(python, serve(advised).url, LOCK)
    (pin,) = LOCKED.specifier
    assert lines == [
        f"{LOCKED.name.replace('_', '-')} {pin.version}: {ALIAS}, fixed in {FIXED}",
        "audit: 1 faults in 1 packages of 1 locks, 0 advisories accepted",
    ]
    assert code == 1


def test_an_accepted_advisory_is_green_until_its_last_day(
    python: Path, serve: Callable[[Answer], Osv], accepted: Path
) -> None:
    service = serve(advised).url
    for name, until, code in ((ADVISORY, UNTIL, 0), (ALIAS, UNTIL, 0), (ADVISORY, "2026-01-31", 1)):
        accepted.write_text(f"{name}:\n  reason: We never call it.\n  until: {until}\n", encoding="utf-8")
        assert audited(python, service, LOCK, "--accepted", accepted)[0] == code


@pytest.mark.parametrize("entry", ["{until: 2999-12-31}", "{reason: none, until: soon}", "never"])
def test_an_exception_without_a_reason_or_a_day_is_refused(python: Path, accepted: Path, entry: str) -> None:
    accepted.write_text(f"{ADVISORY}: {entry}\n", encoding="utf-8")
    code, lines = audited(python, "http://127.0.0.1:9/", LOCK, "--accepted", accepted)
    assert (code, f"{accepted}: {ADVISORY}: " in lines[0]) == (1, True)


def test_every_package_of_every_lock_is_asked_for_within_the_time_that_ci_gives(
    python: Path, serve: Callable[[Answer], Osv]
) -> None:
    server = serve(clean)
    began = time.monotonic()
    code, (line,) = audited(python, server.url, "--seconds", "60")
    assert (code, "audit: 0 faults in " in line) == (0, True)
    assert {"flask", "pyinfra", "pytest", "uv", "matplotlib", "pip-audit"} <= set(server.asked)
    assert time.monotonic() - began < 20


def test_a_database_that_cannot_be_reached_is_not_run_and_not_red(python: Path) -> None:
    code, (line,) = audited(python, "http://127.0.0.1:9/v1/query", LOCK)
    assert (code, line.startswith("audit: NOT RUN: http://127.0.0.1:9/v1/query cannot be asked (")) == (0, True)


def test_a_database_that_knows_nothing_is_not_taken_for_a_clean_one(
    python: Path, serve: Callable[[Answer], Osv]
) -> None:
    server = serve(lambda _: {})
    code, (line,) = audited(python, server.url, LOCK)
    assert line == f"audit: NOT RUN: {server.url} knows no advisory of jinja2, so it knows nothing"
    assert (code, server.asked) == (0, ["jinja2"])


def test_a_database_that_goes_away_while_it_is_asked_is_not_run(
    python: Path, serve: Callable[[Answer], Osv]
) -> None:
    server = serve(lambda query: known("jinja2") if "version" not in query else None)
    code, (line,) = audited(python, server.url, LOCK)
    assert (code, line.startswith(f"audit: NOT RUN: {server.url} stopped answering (")) == (0, True)


def test_a_slow_database_does_not_hold_ci_up(python: Path, serve: Callable[[Answer], Osv]) -> None:
    def slow(query: dict[str, Any]) -> object:
        time.sleep(4 if "version" in query else 0)
        return clean(query)

    server = serve(slow)
    code, (line,) = audited(python, server.url, LOCK, "--seconds", "3")
    assert (code, line) == (0, f"audit: NOT RUN: {server.url} took more than 3 seconds")


def test_a_lock_that_cannot_be_read_is_red(python: Path, serve: Callable[[Answer], Osv], tmp_path: Path) -> None:
    broken = tmp_path / "broken.txt"
    broken.write_text("flask\n", encoding="utf-8")
    code, lines = audited(python, serve(clean).url, broken)
    assert (code, lines[0].startswith("pip-audit: ")) == (1, True)


def test_a_package_that_was_skipped_is_a_fault() -> None:
    found = audit.read([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "it is odd"}])
    assert (found.code, found.faults) == (1, ("b: it is odd",))
