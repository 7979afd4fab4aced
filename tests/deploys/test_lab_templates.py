"""What a copied lab host depends on: with other content it is made again from nothing."""

import subprocess
from pathlib import Path

import pytest

from tests.lab.folders import PROJECT
from tests.lab.templates import SHAPES, TABLE, key

# What of the repository no host is made from.
OTHERS = {
    *(".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "docs", "tests"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small one, with a file in each place that shapes a host."""
    for name in SHAPES:
        path = tmp_path / name if "." in name else tmp_path / name / "below/file.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("first\n")
    (tmp_path / "tests/lab").mkdir(parents=True)
    (tmp_path / "tests/lab/store.py").touch()
    return tmp_path


def files(project: Path) -> list[Path]:
    return [path for path in project.rglob("*") if path.is_file()]


def test_the_content_of_each_file_makes_another_key(project: Path) -> None:
    seen = {key(project)}
    for file in files(project):
        file.write_text("second\n")
        seen.add(key(project))
    assert len(seen) == len(files(project)) + 1 == len(SHAPES) + 2


def test_a_file_that_is_added_renamed_removed_or_made_a_program_makes_another_key(project: Path) -> None:
    file = project / "deploys/below/file.txt"
    seen = [key(project)]
    (project / "deploys/new.py").touch()
    seen.append(key(project))
    file.chmod(0o755)
    seen.append(key(project))
    file.rename(file.with_name("moved.txt"))
    seen.append(key(project))
    (project / "deploys/new.py").unlink()
    seen.append(key(project))
    assert len(set(seen)) == 5


def test_what_shapes_no_host_leaves_the_key_as_it_is(project: Path) -> None:
    before = key(project)
    (project / "deploys/__pycache__").mkdir()
    (project / "deploys/__pycache__/plat_01.cpython-313.pyc").write_bytes(b"compiled")
    (project / "tests/lab/test_store.py").write_text("a test")
    (project / "docs").mkdir()
    (project / "docs/why.md").write_text("a page")
    (project / "deploys/below/file.txt").touch()
    assert key(project) == before


def test_of_everything_in_the_repository_it_is_known_whether_it_shapes_a_host() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert {line.partition("/")[0] for line in listed.splitlines()} - OTHERS == set(SHAPES)


def test_every_template_stands_on_another_one_or_on_a_bare_host() -> None:
    for template in TABLE.values():
        below = template.parent
        for _ in TABLE:
            below = TABLE[below].parent if below in TABLE else below
        assert below == "bare"
