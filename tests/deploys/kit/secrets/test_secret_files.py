"""Secrets in a file of the host: whole or not at all, for its group only, and in no word of the command."""

import grp
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import pyrage
import pytest

from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.operations.hostfiles import Found, HostFile, HostFiles
from deploys.kit.secrets import files, generate_all
from tests.deploys.known_host import KnownHost, Page

MANIFEST = "# days\n"
OWNER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
CONTENT = "# PLAT_99 owns this file.\n[global]\nrepo1-cipher-pass=a-word-of-its-own\n# end\n"


@pytest.fixture
def wanted(tmp_path: Path) -> HostFile:
    return HostFile(str(tmp_path / "secrets.conf"), CONTENT, "440", OWNER, GROUP)


def found(file: HostFile, mode: str = "440") -> KnownHost:
    return KnownHost({HostFiles: {file.path: Found(digest(file.content), mode, OWNER, GROUP, "0", "0")}})


def placing(host: KnownHost, file: HostFile, *, locked: bool = False) -> list[Any]:
    return host.run(files._place, page=Page(locked=locked), file=files._Kept(file))  # noqa: SLF001 - under test


def run(command: Any, given: str) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - a command of pyinfra's
    line = command.get_raw_value()
    return subprocess.run(line, shell=True, input=given, capture_output=True, text=True, timeout=30, check=False)  # noqa: S602 - as pyinfra runs it


def test_a_file_as_it_shall_be_is_left_alone(wanted: HostFile) -> None:
    assert placing(found(wanted), wanted, locked=True) == []


def test_one_that_everybody_may_read_is_replaced(wanted: HostFile) -> None:
    assert len(placing(found(wanted, "444"), wanted)) == 1
    with pytest.raises(PermissionError, match=r"secrets\.conf"):
        placing(found(wanted, "444"), wanted, locked=True)


def test_it_arrives_whole_with_its_mode_and_by_standard_input_only(wanted: HostFile) -> None:
    (command,) = placing(KnownHost({HostFiles: {}}), wanted)
    given = "".join(command.connector_arguments["_stdin"].readlines()) + "\n"
    assert run(command, given).returncode == 0
    assert Path(wanted.path).read_text() == CONTENT
    assert oct(Path(wanted.path).stat().st_mode & 0o777) == "0o440"
    assert "a-word-of-its-own" not in f"{command!r} {command} {command.connector_arguments}"


@pytest.mark.parametrize("given", ["", CONTENT[:-20], CONTENT[:-2]])
def test_what_was_cut_off_on_its_way_replaces_nothing(wanted: HostFile, given: str) -> None:
    Path(wanted.path).write_text("as it was")
    (command,) = placing(KnownHost({HostFiles: {}}), wanted)
    ended = run(command, given)
    assert ended.returncode == 1
    assert "cut off in transit; run the page again" in ended.stderr
    assert Path(wanted.path).read_text() == "as it was"
    assert [file.name for file in Path(wanted.path).parent.iterdir()] == ["secrets.conf"]


def test_at_load_the_page_owns_the_file_and_a_secret_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "identity.txt"
    key.touch(mode=0o600)
    key.write_text(str(identity))
    (tmp_path / "manifest.yaml").write_text(MANIFEST)
    generate_all(tmp_path / "vault", tmp_path / "manifest.yaml", [str(identity.to_public())])
    monkeypatch.setattr(files, "_place", lambda **_: None)
    settings: dict[str, Any] = {"secrets_directory": tmp_path / "vault", "age_identity": key}
    page: Any = Page(**settings)
    monkeypatch.setattr(
        files, "render", lambda template, page, value: f"# {page}: {template}\n{len(value) > 30}\n"
    )
    files.place(page, "/etc/x", "root", "a/x.conf", value="redis")
    assert page.owned == {"/etc/x": "# PLAT_99: a/x.conf\nTrue\n# end\n"}
    (tmp_path / "vault/redis.age").unlink()
    with pytest.raises(Refused, match=r"redis\.age: no such file"):
        files.place(page, "/etc/x", "root", "a/x.conf", value="redis")
