"""Where root puts what `nobody` has to reach, when the project stands under a folder that only root may enter."""

import shutil
from pathlib import Path
from typing import Final

ELSEWHERE: Final = Path("/var/lib/motorcade-dev")


def elsewhere(name: str) -> Path:
    """A path in a folder that everyone may enter. Modes of the project's own parents are never touched."""
    ELSEWHERE.mkdir(exist_ok=True)
    ELSEWHERE.chmod(0o755)
    return ELSEWHERE / name


def fresh_elsewhere(name: str) -> Path:
    """An empty folder; what has its name belonged to a folder that has been removed since."""
    folder = elsewhere(name)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    folder.chmod(0o711)
    return folder
