"""A newcomer's first hour on a copy of the project in a folder with spaces and quotes: `make run` and the docs."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadgen.dev.ports import free_port
from tests.integration.service import until

PROJECT = Path(__file__).parents[3]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".dev", ".lab", ".bench", ".lock", ".*_cache", "__pycache__")
START_SECONDS = 60
A_FLAT_BODY = re.compile(r"^## A flat body\n.*?```\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOOKING_INSIDE = re.compile(r"^## Looking inside\n+```\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Newcomer:
    """Somebody who types into a shell in the project's folder."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self._environ = environ
        self._serving: subprocess.Popen[bytes] | None = None

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def starts(self, command: str) -> str:
        """Type a command that serves, and wait until it does; returns its output."""
        output = self.folder / f"output-{time.monotonic_ns()}"
        with output.open("wb") as file:
            self._serving = process = subprocess.Popen(
                ["bash", "-c", command], cwd=self.folder, env=self._environ, stdout=file, stderr=file
            )
        printed = re.compile(r"^curl .*^  -d '.*'$", re.MULTILINE | re.DOTALL)
        assert until(lambda: printed.search(output.read_text()) or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        return output.read_text()

    def stops_it(self) -> None:
        if self._serving:
            os.kill(int((self.folder / ".dev/lock").read_text().split()[0]), signal.SIGINT)
            assert self._serving.wait(START_SECONDS) == 0
            self._serving = None


@pytest.fixture
def newcomer(server_directory: Path, plain_environ: dict[str, str]) -> Iterator[Newcomer]:
    folder = server_directory / 'Anna\'s "first" project'
    shutil.copytree(PROJECT, folder, ignore=LEFT_OUT)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (packages,) = folder.glob(".venv/lib/*/site-packages")
    packages.rmdir()
    packages.symlink_to(sysconfig.get_path("purelib"))  # installing takes a minute: .ci/first-run tests it
    command = folder / ".venv/bin/leadgen"
    command.write_text('#!/bin/sh\nexec "${0%leadgen}python" -m leadgen "$@"\n')
    command.chmod(0o755)
    for step in ("made", "dev"):
        (folder / ".venv" / step).touch()
    newcomer = Newcomer(folder, plain_environ)
    yield newcomer
    newcomer.stops_it()


def test_a_newcomer_gets_from_make_run_to_the_row_of_the_lead_and_back(newcomer: Newcomer) -> None:
    if os.geteuid() == 0:
        refused = newcomer.types("setpriv --bounding-set=-net_bind_service make run PORT=80")
        assert refused.returncode != 0
        assert "port 80: only root may listen on it" in refused.stderr
        assert "Traceback" not in refused.stderr

    port = free_port()
    output = newcomer.starts(f"make run PORT={port}")
    sent = newcomer.types(output[output.index("curl ") :])
    assert sent.stdout.startswith("HTTP/1.1 202")
    (intake_id,) = re.findall(r'"intake_id": "([^"]+)"', sent.stdout)

    page = (PROJECT / "docs/first-run.md").read_text()
    found, flat = LOOKING_INSIDE.search(page), A_FLAT_BODY.search(page)
    assert found
    assert flat
    assert until(lambda: re.search(rf"^intake_id +. {intake_id}$", newcomer.types(found[1]).stdout, re.MULTILINE))

    command = flat[1].replace(":8000/", f":{port}/")
    sent = newcomer.types(command)
    assert sent.stdout.startswith("HTTP/1.1 202")
    assert '"flags": ["assumed_state", "timeline_missing"]' in sent.stdout
    (newest,) = re.findall(r'"intake_id": "([^"]+)"', sent.stdout)
    assert newcomer.types(command.replace("site.key", "dev.key")).stdout.startswith("HTTP/1.1 422")

    refused = newcomer.types("make clean")
    assert refused.returncode != 0
    assert "runs the intake in this folder; stop it first" in refused.stderr
    newcomer.stops_it()

    output = newcomer.starts(f". .dev/environment && make run PORT={port}")
    assert "LEADGEN_DATABASE_URL is from a dev profile" in output
    assert newest in newcomer.types(found[1]).stdout
    newcomer.stops_it()
    assert newcomer.types("make clean").returncode == 0
    assert (newcomer.folder / ".dev/postgres").exists()
