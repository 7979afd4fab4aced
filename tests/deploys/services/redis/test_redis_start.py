"""How Redis's container starts: settings and users joined, and no start without a password for each."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import REPOSITORY
from deploys.services.redis import SECRETS

START = (REPOSITORY / "containers/redis/redis-start").read_text()
ASK = (REPOSITORY / "containers/redis/redis-ask").read_text()
USERS = (REPOSITORY / "leadgen/jobs/redis_users.conf").read_text().replace("\\\n", "")
PASSWORDS = {"operator": 'op"era\\tor', "bell": "b e l l", "worker": "worker"}
Run = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script of the image on a folder in place of its root; each program prints what it was given."""
    for folder in ("etc/motorcade/redis", "run/secrets", "run/redis", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/motorcade/redis/redis.conf").write_text("port 6379\nuser default off\n")
    (tmp_path / "etc/motorcade/redis/users.conf").write_text(USERS)
    for user, password in PASSWORDS.items():
        (tmp_path / f"run/secrets/motorcade-redis-{user}").write_text(password)
    for program, prints in (("redis-server", 'echo "$@"; cat "$@"'), ("redis-cli", "echo OK; cat")):
        (tmp_path / "bin" / program).write_text(f"#!/bin/sh\n{prints}\n")
        (tmp_path / "bin" / program).chmod(0o755)

    def run(script: str) -> subprocess.CompletedProcess[str]:
        for place in ("/etc/motorcade", "/run/"):
            script = script.replace(place, f"{tmp_path}{place}")
        return subprocess.run(
            ["sh", "-c", script, "sh", "PING"],
            env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
            text=True,
            capture_output=True,
            check=False,
        )

    return run


def test_every_user_gets_the_digest_of_its_own_password_and_its_rights(run: Run, tmp_path: Path) -> None:
    arguments, *lines = run(START).stdout.splitlines()
    assert arguments == f"{tmp_path}/run/redis/redis.conf"
    assert lines[:2] == ["port 6379", "user default off"]
    users = {line.split()[1]: line.split()[2:] for line in lines[2:]}
    assert {user: words[:2] for user, words in users.items()} == {
        user: ["on", f"#{hashlib.sha256(password.encode()).hexdigest()}"] for user, password in PASSWORDS.items()
    }
    assert users["operator"][2:] == ["~*", "&*", "+@all"]
    assert "+blmove" in users["worker"]
    assert {"+rpush", "%W~rq:queues"} <= set(users["bell"])
    assert "+blmove" not in users["bell"]


@pytest.mark.parametrize("user", PASSWORDS)
@pytest.mark.parametrize("away", [True, False], ids=["missing", "empty"])
def test_it_does_not_start_without_a_password(run: Run, tmp_path: Path, user: str, *, away: bool) -> None:
    secret = tmp_path / f"run/secrets/motorcade-redis-{user}"
    if away:
        secret.unlink()
    else:
        secret.write_text("")
    done = run(START)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{secret}: missing or empty; run deploys/plat_08b.py\n"


def test_redis_ask_logs_in_as_the_operator(run: Run) -> None:
    assert run(ASK).stdout == 'AUTH operator "op\\"era\\\\tor"\nPING\n'


def test_there_is_a_secret_for_each_user() -> None:
    assert {secret.name for secret in SECRETS} == {f"redis-{user}" for user in PASSWORDS}
