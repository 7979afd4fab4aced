"""What `leadgen dev` refuses to start on: an address, a port or a folder; it says why, and changes nothing."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from leadgen.dev.place import Place
from tests.integration.dev.running_profile import MakeProfile
from tests.integration.service import ENDS_SECONDS


def test_a_taken_port_is_named(make_profile: MakeProfile) -> None:
    profile = make_profile()
    with socket.create_server(("127.0.0.1", profile.port)):
        assert profile.spawn().wait(ENDS_SECONDS) == 1
    assert profile.output.startswith(
        f"port {profile.port}: another program is listening there; stop it, or use another port"
    )


@pytest.mark.parametrize(
    ("bind", "message"),
    [
        (
            "192.0.2.1:8000",
            "LEADGEN_BIND: 192.0.2.1 is not an address of this machine; unset it, or set it to one of ",
        ),
        ("none.invalid:8000", "LEADGEN_BIND: none.invalid cannot be used ("),
    ],
)
def test_an_address_of_another_machine_is_named(make_profile: MakeProfile, bind: str, message: str) -> None:
    profile = make_profile()
    said = refusal([sys.executable, "-m", "leadgen"], profile.folder / ".dev", profile.environ, LEADGEN_BIND=bind)
    assert said.startswith(message)


def test_a_port_for_root_only_is_named(make_profile: MakeProfile) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("this machine lets every user listen on port 80")
    profile = make_profile()
    said = refusal(
        without("net_bind_service"), profile.folder / ".dev", profile.environ, LEADGEN_BIND="127.0.0.1:80"
    )
    assert said == (
        "port 80: only root may listen on it, and you are not root; use another port: `make run PORT=8001`\n"
    )


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80 81", "\u0663", "1" * 5000])
def test_a_port_that_is_none_is_named(tmp_path: Path, plain_environ: dict[str, str], port: str) -> None:
    command = [sys.executable, "-m", "leadgen", "dev", "--folder", str(tmp_path / ".dev"), f"--port={port}"]
    done = subprocess.run(command, env=plain_environ, capture_output=True, text=True, check=False)
    said = f"port {port!r}: is not a number from 1 to 65535; give one, such as 8001\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    assert not (tmp_path / ".dev").exists()


def test_a_folder_of_a_profile_that_was_killed_before_it_had_a_key_is_taken(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for name in ("lock", "sessions", "api-keys", "dev.key.unfinished"):
        (tmp_path / name).touch()
    Place(tmp_path).make()


@pytest.mark.parametrize("like", ["/etc", "/var/lib/dpkg", "a link to a key", "a log"])
def test_a_folder_with_other_files_is_refused_and_left_as_it_was(
    tmp_path: Path, plain_environ: dict[str, str], like: str
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    (folder / ("log" if like == "a log" else "hosts")).write_text("127.0.0.1 localhost\n")
    if like == "/var/lib/dpkg":
        (folder / "lock").touch()
    elif like == "a link to a key":
        (tmp_path / "key").touch()
        (folder / "dev.key").symlink_to(tmp_path / "key")
    (tmp_path / "by-a-link").symlink_to(folder)
    before = sorted(folder.iterdir())
    for named in (folder, tmp_path / "by-a-link"):
        said = refusal([sys.executable, "-m", "leadgen"], named, plain_environ)
        assert said == f"{named}: it has files in it, and no profile made them; name a new or an empty folder\n"
    assert sorted(folder.iterdir()) == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path, plain_environ: dict[str, str]) -> None:
    tmp_path.chmod(0o555)
    for folder, why in (("none/.dev", "No such file or directory"), (".dev", "Permission denied")):
        assert refusal(without("dac_override,-dac_read_search"), tmp_path / folder, plain_environ) == (
            f"{tmp_path / folder}: it cannot be created ({why}); "
            "name another folder, whose parent exists and is yours to write to\n"
        )


def test_a_file_of_another_user_in_the_folder_is_named(tmp_path: Path, plain_environ: dict[str, str]) -> None:
    (tmp_path / "lock").touch(mode=0o400)
    assert refusal(without("dac_override,-dac_read_search"), tmp_path, plain_environ) == (
        f"{tmp_path}/lock: you have no access to it; run as the user who created it, or remove it and start over\n"
    )


def refusal(command: list[str], folder: Path, environ: dict[str, str], **settings: str) -> str:
    """What it says when it does not start on the folder."""
    done = subprocess.run(
        [*command, "dev", "--folder", folder], env=environ | settings, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def without(capability: str) -> list[str]:
    """The command, as a user who may not do what root may."""
    command = [sys.executable, "-m", "leadgen"]
    return ["setpriv", f"--bounding-set=-{capability}", *command] if os.geteuid() == 0 else command
