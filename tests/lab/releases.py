"""Releases of the intake that differ on purpose, each a tag of a repository that a test makes for itself."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.folders import PROJECT

PARTS = ("leadgen", "requirements", "containers", "pyproject.toml")
SERVE = "leadgen/cli/serve.py"
BEGIN = "    config = load("
FACTS = "leadgen/store/schema_facts.txt"


@dataclass(frozen=True)
class Repository:
    """`environ` lets pyinfra take its tags from here, while its pages come from the project."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Repository":
        """With the intake as it lies in the project."""
        made = cls(folder)
        folder.mkdir()
        for part in PARTS:
            source = PROJECT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        made._git("init", "--quiet")
        return made

    @property
    def environ(self) -> dict[str, str]:
        return {"GIT_DIR": str(self.folder / ".git")}

    def tag(self, name: str) -> None:
        """Commit the files as they are, and `name` the commit."""
        self._git("add", "--all")
        self._git(
            *("-c", "user.name=lab", "-c", "user.email=lab@example.invalid"),
            *("commit", "--quiet", "--allow-empty", "--message", name),
        )
        self._git("tag", name)

    def tag_changed(self, name: str, path: str, old: str, new: str) -> None:
        """A release in which one text is another; the next one has the old again."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path}: `{old}` is there {before.count(old)} times"
        file.write_text(before.replace(old, new), encoding="utf-8")
        self.tag(name)
        file.write_text(before, encoding="utf-8")

    def tag_added(self, name: str, path: str, text: str, facts: str = "") -> None:
        """A release with one file more, and a line more of the schema's facts; the next one lacks both."""
        (self.folder / path).write_text(text, encoding="utf-8")
        known = (self.folder / FACTS).read_text(encoding="utf-8")
        (self.folder / FACTS).write_text(known + facts, encoding="utf-8")
        self.tag(name)
        (self.folder / FACTS).write_text(known, encoding="utf-8")
        (self.folder / path).unlink()

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)
