"""What the intake's pages ask of it, in the words of systemd and of its own health."""

import re
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import render
from deploys.services.leadgen import leadgen
from deploys.services.postgres import database

NAMES = (
    *("page", "service", "config", "image", "user", "database_cipher", "redis_cipher", "redis_user"),
    "database_role",
    *("edge_host", "states", "site_default_state", "workers", "database_disk", "erasure_cipher"),
    *("database_sockets", "redis_sockets"),
)


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


@pytest.mark.parametrize(
    ("groups", "disk"),
    [
        ((), database.DISK),
        (("platform",), database.DISK),
        (("database", "app"), database.DISK),
        (("app",), ""),
        (("app", "edge"), ""),
    ],
)
def test_the_api_measures_the_disk_of_a_database_on_its_own_host_only(groups: Sequence[str], disk: str) -> None:
    assert leadgen.database_disk(groups) == disk
    values = dict.fromkeys(NAMES, "x")
    values["database_disk"] = leadgen.database_disk(groups)
    unit = render("leadgen/motorcade-leadgen-api.container", **values)
    lines = [line for line in unit.splitlines() if "disk" in line.lower() and not line.startswith("#")]
    wanted = [f"Volume={disk}:{disk}:ro,z", f"Environment=LEADGEN_DATABASE_DISK={disk}"]
    assert lines == (wanted if disk else [])
    assert database.VOLUME not in {line.removeprefix("Volume=").partition(":")[0] for line in unit.splitlines()}


def test_a_directory_that_is_on_another_disk_than_the_cluster_is_refused(tmp_path: Path) -> None:
    def measured(disk: str) -> tuple[int, str]:
        script = leadgen.measures(disk).replace(database.CLUSTER, str(tmp_path))
        done = subprocess.run(["sh", "-c", script], text=True, capture_output=True, check=False)
        return done.returncode, done.stdout

    beside = tmp_path / "beside"
    beside.mkdir()
    assert measured(str(beside)) == (0, "")
    code, why = measured("/proc")
    assert (code, why) == (
        1,
        f"/proc is not on the disk of {tmp_path}; mount that disk at the parent of both\n",
    )
    assert measured(str(tmp_path / "missing"))[0] == 1


@pytest.mark.parametrize("service", leadgen.SERVICES)
def test_a_service_has_the_password_of_its_own_user_in_redis_and_no_other(service: str) -> None:
    user = leadgen.REDIS_USERS.get(service, "")
    values = {**dict.fromkeys(NAMES, "x"), "redis_user": user, "redis_sockets": "/run/redis"}
    unit = render(f"leadgen/motorcade-leadgen-{service}.container", **values)
    lines = [line for line in unit.splitlines() if "redis" in line and not line.startswith(("#", "After="))]
    assert lines == (
        [
            "Label=motorcade.config.redis=x",
            f"Secret=motorcade-redis-{user},type=mount,uid=x,gid=x,mode=0400",
            "Volume=/run/redis:/run/redis:ro,z",
            f"Environment=LEADGEN_REDIS_URL=unix://{user}@/run/redis/redis.sock",
            f"Environment=LEADGEN_REDIS_PASSWORD_FILE=/run/secrets/motorcade-redis-{user}",
        ]
        if user
        else []
    )
    assert bool(user) == (service != "sweeper")


@pytest.mark.parametrize("service", leadgen.SERVICES)
def test_only_the_api_has_the_role_that_reads_no_lead(service: str) -> None:
    role = leadgen.DATABASE_ROLES[service]
    assert (role == "api") == (service == "api")
    unit = render(
        f"leadgen/motorcade-leadgen-{service}.container", **dict.fromkeys(NAMES, "x") | {"database_role": role}
    )
    assert [
        line
        for line in unit.splitlines()
        if re.match("Secret=.*postgres|Environment=.*_DATABASE_(URL|PASS)", line)
    ] == [
        f"Secret=motorcade-postgres-{role},type=mount,uid=x,gid=x,mode=0400",
        f"Environment=LEADGEN_DATABASE_URL=postgresql://motorcade_{role}@/motorcade?host=x",
        f"Environment=LEADGEN_DATABASE_PASSWORD_FILE=/run/secrets/motorcade-postgres-{role}",
    ]


def test_an_intake_whose_sockets_are_missing_says_which_pages_make_them(tmp_path: Path) -> None:
    script = leadgen.reachable().replace("/run/motorcade", str(tmp_path))

    def asked() -> tuple[int, str]:
        done = subprocess.run(["sh", "-c", script], text=True, capture_output=True, check=False)
        return done.returncode, done.stdout

    with ExitStack() as sockets:
        for folder, name, page in [
            ("postgres", ".s.PGSQL.5432", "deploys/plat_02b.py deploys/plat_02c.py"),
            ("redis", "redis.sock", "deploys/plat_08b.py deploys/plat_08c.py"),
        ]:
            path = tmp_path / folder / name
            path.parent.mkdir()
            assert asked() == (1, f"{path} is missing; run {page} first\n")
            path.write_text("no socket")
            assert asked()[0] == 1
            path.unlink()
            sockets.enter_context(socket.socket(socket.AF_UNIX)).bind(str(path))
        assert asked() == (0, "")
