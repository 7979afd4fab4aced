"""Images: the same source gives the same context, and anything that shapes an image shapes its tag."""

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.errors import Refused
from deploys.kit.operations import image
from deploys.kit.operations.image import Image
from deploys.kit.plan.pin import WORKTREE
from deploys.services.leadgen import leadgen
from tests.deploys.known_host import GREEN, RED, KnownHost, Page

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


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with an image that is also made of a folder and a file beside its own; tagged v1."""
    monkeypatch.chdir(tmp_path)
    own = (
        "containers/leadgen/Containerfile",
        "leadgen/cli/start.py",
        "requirements/runtime.txt",
        "pyproject.toml",
    )
    for path in (*own, "README.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{path}\n")
    (tmp_path / "leadgen/cli/start.py").chmod(0o755)
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "--quiet", "--message", "t")
    git("tag", "v1")
    return tmp_path


def test_what_an_image_is_also_made_of_keeps_its_place_and_the_rest_stays_out(repository: Path) -> None:
    (repository / "leadgen/__pycache__").mkdir()
    (repository / "leadgen/__pycache__/start.pyc").write_bytes(b"0")
    found = image.context_files("leadgen", WORKTREE, ["leadgen", "pyproject.toml"])
    assert found == image.context_files("leadgen", "v1", ["leadgen", "pyproject.toml"])
    assert {name: executable for name, (_, executable) in found.items()} == {
        "Containerfile": False,
        "leadgen/cli/start.py": True,
        "pyproject.toml": False,
    }


@pytest.mark.usefixtures("repository")
def test_the_worktree_and_a_ref_of_the_same_content_differ_in_the_label_alone() -> None:
    made = [made_at(ref) for ref in (WORKTREE, "v1")]
    assert made[0].context == made[1].context
    differing = {name for name in made[0].labels if made[0].labels[name] != made[1].labels[name]}
    assert differing == {"motorcade.ref"}


def made_at(ref: str) -> Image:
    page: Any = Page()
    return leadgen.image_at(page, ref)


@pytest.mark.usefixtures("repository")
def test_a_ref_with_a_slash_is_a_tag_that_podman_takes() -> None:
    git("tag", "release/2026-11-21")
    made = made_at("release/2026-11-21")
    assert re.fullmatch(r"localhost/motorcade-leadgen:release-2026-11-21-[0-9a-f]{12}", made.tag)
    assert made.labels["motorcade.ref"] == "release/2026-11-21"
    assert made.id_file == f"/var/lib/motorcade/images/motorcade-leadgen-{made.release}.id"


def test_a_build_is_told_the_release_and_is_left_out_where_the_image_is_there() -> None:
    labels = {"motorcade.version": "3.13", "motorcade.refreshed": "2026-11-27"}
    made = Image("localhost/motorcade-leadgen:v1-0123456789ab", labels, image.pack(FILES))
    page = Page()
    assert KnownHost(probes={"": GREEN}).run(image._build, page=Page(locked=True), image=made) == []  # noqa: SLF001 - the operation
    (command,) = KnownHost(probes={"": RED}).run(image._build, page=page, image=made)  # noqa: SLF001 - the same
    assert (
        "--build-arg VERSION=3.13 --build-arg RELEASE=v1-0123456789ab --build-arg REFRESHED=2026-11-27 "
        in command.get_raw_value()
    )
    assert f"--iidfile {made.id_file}.new" in command.get_raw_value()


def test_the_packages_of_an_image_are_listed_again_after_it_was_built_again(tmp_path: Path) -> None:
    made = Image("localhost/motorcade-redis:8-0123456789ab", {}, image.pack(FILES))
    page, tool = Page(locked=True), tmp_path / "podman"
    assert KnownHost(probes={"": GREEN}).run(image._list, page=page, image=made) == []  # noqa: SLF001 - the operation
    (command,) = KnownHost(probes={"": RED}).run(image._list, page=page, image=made)  # noqa: SLF001 - the same
    script = command.get_raw_value().replace(image.IDS, str(tmp_path))
    (tmp_path / "motorcade-redis-8-0123456789ab.id").write_text("5a")  # podman ends it without a newline
    written = tmp_path / "motorcade-redis-8-0123456789ab.packages"
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for said, code, text in (
        (
            "installed debian-13 a 1 all a 1\nconfig-files debian-13 b 1 all b 1\n",
            0,
            "5a\ndebian-13 a 1 all a 1\n",
        ),
        ("", 1, "5a\ndebian-13 a 1 all a 1\n"),
    ):
        tool.write_text(f"#!/bin/sh\nprintf '{said}'\n")
        tool.chmod(0o755)
        done = subprocess.run(["sh", "-c", script], env=environ, check=False)
        assert (done.returncode, written.read_text()) == (code, text)


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
