"""What the intake's pages ask of it, in the words of systemd and of its own health."""

import subprocess
from pathlib import Path

import pytest

from deploys.services.leadgen import leadgen


@pytest.mark.parametrize(("percent", "shown"), [(100, "1s"), (150, "1.500000s"), (5, "0.050000s"), (400, "4s")])
def test_a_share_of_the_processor_is_written_as_systemd_shows_it(percent: int, shown: str) -> None:
    assert leadgen.seconds_of(percent) == shown


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("degraded", 1), ("down", 1)])
def test_health_is_good_for_a_dependency_that_is_ok_and_shown_otherwise(
    tmp_path: Path, state: str, code: int
) -> None:
    body = f'{{"status": "degraded", "dependencies": {{"redis": "ok", "worker": "{state}"}}}}'
    (tmp_path / "curl").write_text(f"#!/bin/sh\necho '{body}'\n")
    (tmp_path / "curl").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", leadgen.healthy("worker")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (code, body if code else "")
