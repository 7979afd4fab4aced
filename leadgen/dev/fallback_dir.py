"""The folder for files that the user `nobody` needs, when the project is in a folder that only root can enter."""

import shutil
from pathlib import Path
from typing import Final

FALLBACK_DIR: Final = Path("/var/lib/motorcade-dev")


def fallback_dir(name: str) -> Path:
    """A path in a folder that every user can enter. The modes of the project's parents are never changed."""
    FALLBACK_DIR.mkdir(exist_ok=True)
    FALLBACK_DIR.chmod(0o755)
    return FALLBACK_DIR / name


def fresh_fallback_dir(name: str) -> Path:
    """An empty folder; an existing one of this name belonged to a project folder that no longer exists."""
    folder = fallback_dir(name)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    folder.chmod(0o711)
    return folder
