"""Drift reports an image whose packages are older than Debian's, with what is old in it."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.inspect import patches
from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from tests.deploys.known_host import GREEN, KnownHost

REDIS = "localhost/motorcade-redis:8-0123456789ab"
PATCH_DAY = "as docs/runbooks/patch-day.md says"
PROGRAMS = {
    "podman": """
        case $1 in
        ps) cat <<'END'
localhost/motorcade-redis:1 motorcade-redis
localhost/motorcade-leadgen:2 motorcade-b
localhost/motorcade-leadgen:2 motorcade-a
example.org/other:1 other
END
            ;;
        exec) shift; echo "$1" >>"$ASKED"; cat "$WORLD/$1" ;;
        esac""",
    "apt-cache": """
        shift
        for name in "$@"; do
            printf '%s:\\n  Installed: 9\\n  Candidate: %s\\n' "$name" "$(cat "$WORLD/$name")"
        done""",
}


def found_in(*lines: str, status: int = 0) -> list[tuple[str, str]]:
    host: Any = KnownHost(probes={"apt-cache": Answer(status, list(lines)), "": GREEN})
    settings: Any = SimpleNamespace(release_file=Path("releases/prod.yaml"))
    found = patches.look(host, settings)
    assert {each.remedy for each in found} <= {
        "write today as base.refreshed in releases/prod.yaml, then run deploys/platform.py"
    }
    return [(each.where, each.what) for each in found]


def test_images_with_nothing_old_are_no_difference() -> None:
    assert found_in() == []


def test_an_image_is_reported_once_with_what_is_old_in_it() -> None:
    assert found_in(
        f"{REDIS} openssl 3.5-1 3.5-4", "localhost/b:1 zlib1g 1 2", f"{REDIS} libssl3t64 3.5-1 3.5-4"
    ) == [
        (
            REDIS,
            "2 packages are older than Debian's: openssl 3.5-1, now 3.5-4; libssl3t64 3.5-1, now 3.5-4",
        ),
        ("localhost/b:1", "a package is older than Debian's: zlib1g 1, now 2"),
    ]


def test_of_many_packages_five_are_named() -> None:
    ((_, what),) = found_in(*(f"{REDIS} p{number} 1 2" for number in range(7)))
    assert what.startswith("7 packages are older")
    assert what.endswith("p4 1, now 2; and 2 more")


def test_a_host_that_does_not_say_is_not_called_patched() -> None:
    with pytest.raises(Refused, match="does not say which packages are old"):
        found_in("apt-cache: no", status=1)


def asked(tmp_path: Path, here: str, **world: str) -> tuple[int, list[str], list[str]]:
    """Status and lines of the script on a made-up host, and the containers that it asked."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for name, text in world.items():
        (tmp_path / name.replace("_", "-")).write_text(text)
    (tmp_path / "os-release").write_text(f"VERSION_CODENAME={here}\n")
    script = patches._LOOK.replace("/etc/os-release && ", f"{tmp_path}/os-release && ")  # noqa: SLF001 - under test
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WORLD": str(tmp_path), "ASKED": f"{tmp_path}/asked"}
    done = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=False)
    noted = tmp_path / "asked"
    return done.returncode, done.stdout.splitlines(), noted.read_text().split() if noted.exists() else []


def test_what_containers_have_is_compared_with_what_debian_offers(tmp_path: Path) -> None:
    world = {
        "motorcade_redis": "trixie openssl 3.5-1\ntrixie zlib1g 1:1.3-1\ntrixie ours 1\n",
        "motorcade_b": "trixie openssl 3.5-10\n",
        "openssl": "3.5-4",
        "zlib1g": "1:1.3-1",
        "ours": "(none)",
    }
    assert asked(tmp_path, "trixie", **world) == (
        0,
        ["localhost/motorcade-redis:1 openssl 3.5-1 3.5-4"],
        ["motorcade-b", "motorcade-redis"],
    )


def test_a_container_that_does_not_answer_is_not_called_patched(tmp_path: Path) -> None:
    world = {"motorcade_redis": "trixie openssl 3.5-1\n", "openssl": "3.5-4"}
    code, lines, _ = asked(tmp_path, "trixie", **world)
    assert (code, lines[0]) == (1, "no answer from motorcade-b")


def test_a_host_of_another_debian_cannot_say(tmp_path: Path) -> None:
    world = {"motorcade_redis": "trixie openssl 3.5-1\n", "motorcade_b": "", "openssl": "3.5-4"}
    assert asked(tmp_path, "forky", **world)[:2] == (0, [])


def test_a_host_without_lists_of_packages_is_not_called_patched(tmp_path: Path) -> None:
    world = {"motorcade_redis": "trixie openssl 3.5-1\n", "motorcade_b": "", "openssl": "(none)"}
    assert asked(tmp_path, "trixie", **world)[:2] == (1, ["apt-cache offers none of the packages"])


def of_host(pending: Answer = GREEN, due: Answer = GREEN) -> list[tuple[str, str, str, str]]:
    host: Any = KnownHost(probes={"host-updates pending": pending, "host-updates due": due})
    return [
        (each.kind, each.where, each.what, each.remedy) for each in (*patches.of_host(host), *patches.due(host))
    ]


def test_updates_of_the_host_are_named_apart_from_those_that_wait_for_patch_day() -> None:
    lines = ["ready libc6 1 2", "held podman 1 2", "held nginx 1 3"]
    assert of_host(Answer(0, lines)) == [
        (
            "patch",
            "motorcade-web-01, packages",
            "a package is older than Debian's: libc6 1, now 2",
            "run sudo /usr/local/libexec/motorcade/host-updates install",
        ),
        (
            "patch",
            "motorcade-web-01, packages that wait for patch day",
            "2 packages are older than Debian's: podman 1, now 2; nginx 1, now 3",
            f"{PATCH_DAY}: run sudo apt-get install --only-upgrade nginx podman, then deploys/platform.py",
        ),
    ]
    assert of_host() == []


def test_what_must_restart_is_named_with_the_command() -> None:
    lines = ["nginx.service 2 of its processes run", "reboot an update needs it: linux"]
    assert [each[:2] + each[3:] for each in of_host(due=Answer(0, lines))] == [
        (
            "restart",
            "nginx.service",
            f"{PATCH_DAY}: run sudo systemctl restart nginx.service",
        ),
        ("restart", "motorcade-web-01", f"{PATCH_DAY}: run sudo systemctl reboot"),
    ]


def test_a_host_that_does_not_say_what_waits_is_not_called_patched() -> None:
    with pytest.raises(Refused, match=r"which of its packages are old \(E: broken\)"):
        of_host(Answer(1, ["E: broken"]))
