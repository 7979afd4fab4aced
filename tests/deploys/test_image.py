"""Images: the same source gives the same context, and anything that shapes an image shapes its tag."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from deploys.kit import image
from deploys.kit.errors import Refused
from deploys.kit.manifest import WORKTREE

FILES = {"Containerfile": (b"FROM scratch\n", False), "start": (b"#!/bin/sh\n", True)}


def test_a_context_is_the_same_whenever_it_is_packed() -> None:
    assert image.pack(FILES) == image.pack(dict(reversed(FILES.items())))


def test_a_context_keeps_what_is_executable_and_forgets_who_made_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(image.pack(FILES))) as tar:
        members = {member.name: (oct(member.mode), member.uid) for member in tar.getmembers()}
    assert members == {"Containerfile": ("0o644", 0), "start": ("0o755", 0)}


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "start": (b"#!/bin/sh\nexit\n", True)},
        {**FILES, "start": (b"#!/bin/sh\n", False)},
        {"Containerfile": FILES["Containerfile"]},
    ],
    ids=["content", "mode", "a file less"],
)
def test_another_source_is_another_context(files: dict[str, tuple[bytes, bool]]) -> None:
    assert image.pack(files) != image.pack(FILES)


def test_a_ref_gives_what_was_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "containers" / "postgres" / "Containerfile"
    source.parent.mkdir(parents=True)
    source.write_text("FROM committed\n")
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "--quiet", "--message", "t")
    git("tag", "v1")
    source.write_text("FROM worktree\n")
    assert image.context_files("postgres", "v1") == {"Containerfile": (b"FROM committed\n", False)}
    assert image.context_files("postgres", WORKTREE) == {"Containerfile": (b"FROM worktree\n", False)}
    with pytest.raises(Refused, match=r"git ref v2: .*fetch the tag, or pin one that exists here"):
        image.context_files("postgres", "v2")


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
