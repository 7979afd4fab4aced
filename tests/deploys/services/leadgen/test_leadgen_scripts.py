"""Scripts of the intake's pages: any shell reads them, and however they end, nothing that they made stays."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest

from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import render
from deploys.services import redis
from deploys.services.leadgen import ADDRESS, leadgen, synthetic
from deploys.services.postgres import database
from leadgen.domain import api_key
from leadgen.domain.synthetic import DOCUMENT

UNIT = render(
    "leadgen/motorcade-leadgen-api.container",
    **dict.fromkeys(("page", "service", "config", "image", "database_cipher", "redis_cipher"), "x"),
    database_role="api",
    redis_user="bell",
    user=leadgen.USER,
    edge_host="edge.example.com",
    states="TX,OK",
    site_default_state="OK",
    workers=3,
    database_disk=database.DISK,
    database_sockets=database.SOCKETS,
    redis_sockets=redis.SOCKETS,
)
VALUES = {
    "page": "PLAT_99",
    "client": "motorcade-probe",
    "lead": quote('{"notes": "a person\'s"}'),
    "base": "http://127.0.0.1:8000",
    "file": "/etc/motorcade/leadgen/api-keys",
    "curl": "",
    "as_the_unit": list(leadgen.podman_options(UNIT)),
    "image": "localhost/motorcade-leadgen:leadgen-1-new",
    "release": "leadgen-1-new",
    "install": "true",
    "folders": ["/etc/containers/systemd/a.container.d"],
    "services": leadgen.SERVICES,
    "id_file": "/var/lib/motorcade/images/a.id",
    "stage": "/var/lib/motorcade/staging/x",
    "step": "/var/lib/motorcade/steps/LEADGEN_02.json",
    "address": ADDRESS,
    "user": leadgen.USER,
    "cpu_quota": "1s",
    "memory_max_mb": 384,
    "cpu_percent": 100,
}
SCRIPTS = sorted(file.name for file in (hostfiles.REPOSITORY / "deploys/services/leadgen/templates").glob("*.sh"))
# Everything is asked of one program, which notes it; $SAYS is what curl is told as a status, or nothing.
PROGRAM = """#!/bin/sh
echo "${0##*/} $*" >>$WORLD/asked
case "${0##*/} $*" in
"curl "*write-out*) printf %s "$STATUS" ;;
"podman inspect "*State.Status*) echo "$STATE" ;;
"podman inspect "*) echo 10.89.10.9 ;;
"curl "*) exit 7 ;;
"podman exec "*psql*) cat >>$WORLD/asked ;;
esac
"""
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture(params=["dash", "bash"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a script, whose operator may be `gone`; returns its end and what it asked of whom."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("curl", "podman", "systemctl", "sleep"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    (programs / "sh").symlink_to(f"/bin/{request.param}")

    def run(name: str, *, gone: bool, **environment: str) -> tuple[int, list[str]]:
        script = render(f"leadgen/{name}", **VALUES).replace("/var/lib/motorcade", str(tmp_path))
        known = {"PATH": f"{programs}:/usr/bin:/bin", "WORLD": str(tmp_path), "TMPDIR": str(tmp_path)}
        reader, writer = os.pipe()
        if gone:
            os.close(reader)
        done = subprocess.run(
            [programs / "sh", "-c", script],
            env={**known, **environment},
            stdout=writer,
            stderr=writer,
            check=False,
        )
        os.close(writer)
        if not gone:
            os.close(reader)
        return done.returncode, (tmp_path / "asked").read_text().splitlines()

    return run


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_read_to_its_end(name: str, shell: str) -> None:
    script = render(f"leadgen/{name}", **VALUES)
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("gone", [False, True], ids=["operator there", "operator gone"])
def test_a_check_that_fails_starts_what_it_stopped_and_takes_its_leads_away(run: Run, *, gone: bool) -> None:
    code, asked = run("check-draining.sh", gone=gone, STATUS="500")
    assert code != 0
    stopped = asked.index("systemctl stop motorcade-leadgen-worker.service motorcade-leadgen-sweeper.service")
    started = "start motorcade-redis.service motorcade-leadgen-worker.service motorcade-leadgen-sweeper.service"
    assert f"systemctl {started}" in asked[stopped:]
    removed = [line for line in asked if "remove_synthetic('motorcade-probe', 'PLAT_99-" in line]
    assert len(removed) == 1


@pytest.mark.parametrize("gone", [False, True], ids=["operator there", "operator gone"])
def test_a_canary_that_ends_at_its_start_is_taken_away_and_says_why(
    run: Run, tmp_path: Path, *, gone: bool
) -> None:
    code, asked = run("canary.sh", gone=gone, STATE="exited")
    assert (code, asked[-1]) == (1, "podman rm --force --time 10 motorcade-leadgen-canary")
    assert (tmp_path / "why").read_text() == "the canary of leadgen-1-new: it exited at startup\n"


def test_the_canary_mounts_secrets_and_is_told_none(run: Run) -> None:
    _, asked = run("canary.sh", gone=False, STATE="exited")
    (start,) = (line for line in asked if line.startswith("podman run "))
    assert "--secret motorcade-postgres-api,type=mount" in start
    assert "--publish" not in start
    assert "--read-only --cap-drop all" in start


def test_the_canary_has_every_secret_setting_and_file_of_the_unit_that_the_roll_starts(run: Run) -> None:
    _, asked = run("canary.sh", gone=False, STATE="exited")
    (start,) = (line for line in asked if line.startswith("podman run "))
    wanted = re.findall(r"^(?:Secret|Environment|Volume)=(.+)$", UNIT, re.MULTILINE)
    assert {"LEADGEN_SERVICE_AREA_STATES=TX,OK", "LEADGEN_SITE_DEFAULT_STATE=OK"} <= set(wanted)
    assert f"{database.DISK}:{database.DISK}:ro,z" in wanted
    assert len(wanted) >= 10
    assert [value for value in wanted if f" {value} " not in start] == []


def test_only_what_the_container_gets_is_given_to_podman_and_quoted() -> None:
    unit = "[Container]\nImage=x\nEnvironment=A=b c\n# Secret=no\n[Service]\nEnvironment=B=no\n"
    assert list(leadgen.podman_options(unit)) == ["--env 'A=b c'"]


def test_the_key_that_was_never_issued_is_well_formed_so_that_it_is_looked_up() -> None:
    (nobody,) = re.findall(r"^nobody=(\S+)$", render("leadgen/check-keys.sh", **VALUES), re.MULTILINE)
    assert api_key.key_id_of(nobody) == "nobody00"


def test_keys_are_not_checked_before_every_process_has_read_them(tmp_path: Path) -> None:
    file = tmp_path / "api-keys"
    file.write_text("")
    script = render("leadgen/check-keys.sh", **{**VALUES, "file": file, "address": "127.0.0.1:1"})
    check = ["sh", "-c", script]
    young = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (young.returncode, "is so new" in young.stdout) == (1, True)
    time.sleep(2.1)
    later = subprocess.run(check, capture_output=True, text=True, check=False)
    assert "is so new" not in later.stdout, "it goes on to ask the API, which is not there"


def test_the_synthetic_lead_is_the_intakes_own_for_a_state_that_is_served() -> None:
    lead = json.loads(synthetic._lead("OK"))  # noqa: SLF001 - what the scripts send
    assert lead["request"]["location"].pop("state") == "OK"
    wanted = json.loads(json.dumps(DOCUMENT))
    del wanted["request"]["location"]["state"]
    assert lead == wanted
