"""What every convention looks at: the project's own files, and nothing that was installed or made."""

import os
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

MADE = (".coverage", "pyinfra-debug.log")  # how the names of files begin that a run leaves at the top


def is_ours(folder: str) -> bool:
    """Hidden folders hold what was installed, made or run; only .ci is written by hand."""
    return folder == ".ci" or not (folder.startswith(".") or folder == "__pycache__")


@pytest.fixture(scope="session")
def project() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def paths(project: Path) -> list[str]:
    """Every file of the project, by its path from the top."""
    found = []
    for top, folders, files in os.walk(project):
        folders[:] = sorted(filter(is_ours, folders))
        kept = sorted(file for file in files if not file.startswith(MADE))
        found += [str((Path(top) / file).relative_to(project)) for file in kept]
    return found


@pytest.fixture(scope="session")
def texts(project: Path, paths: list[str]) -> Callable[[str], dict[str, str]]:
    """The files whose path matches a pattern, in which * also stands for folders: path -> text."""

    def read(pattern: str) -> dict[str, str]:
        return {path: (project / path).read_text(encoding="utf-8") for path in paths if fnmatch(path, pattern)}

    return read
