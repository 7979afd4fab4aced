"""The folder `.dev/`: its layout, and the secrets that are created once and kept for the next run."""

import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leadgen.dev.errors import CannotStart
from leadgen.domain import site
from leadgen.domain.api_key import mint
from leadgen.store.roles import ROLES

# The form page reads the key from here: beside the keys file, whose path is a setting.
KEY_FILE = "dev.key"
LOCK_FILE: Final = "lock"
SESSIONS_FILE: Final = "sessions"
_UNFINISHED: Final = ".unfinished"

# The passwords of a profile's own servers start with it, as API keys do with theirs.
_MARK: Final = "dev-profile-"


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path

    @property
    def api_keys_file(self) -> Path:
        return self.folder / "api-keys"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create the folder without changing the modes of its parents. Raises CannotStart."""
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotStart(
                str(self.folder),
                f"it cannot be created ({error.strerror})",
                "name another folder, whose parent exists and is yours to write to",
            ) from None
        if self.folder.stat().st_uid != os.geteuid():
            raise CannotStart(
                str(self.folder), "it belongs to another user", "run as that user, or name another folder"
            )
        self._refuse_what_is_not_ours()
        self.folder.chmod(0o711)  # so that PostgreSQL's user can reach its data when we are root; secrets are 0600
        self.logs.mkdir(exist_ok=True)

    def _refuse_what_is_not_ours(self) -> None:
        """Raise CannotStart for a folder with anything in it that no profile has used: /etc, say, or a home."""
        key = self.folder / KEY_FILE
        is_a_profile = key.is_file() and not key.is_symlink()
        # Killed before that, a profile has left nothing but these.
        first = {self.logs.name, LOCK_FILE, SESSIONS_FILE, self.api_keys_file.name}
        others = {each.name.removesuffix(_UNFINISHED) for each in self.folder.iterdir()} - {*first, KEY_FILE}
        if (others and not is_a_profile) or (self.logs.exists() and not self.logs.is_dir()):
            raise CannotStart(
                str(self.folder), "it has files in it, and no profile made them", "name a new or an empty folder"
            )

    def passwords(self) -> dict[str, str]:
        """The passwords of the database roles."""
        file = self.folder / "passwords"
        lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
        kept = {role: password for role, password in (line.split() for line in lines) if role in ROLES}
        if len(kept) < len(ROLES):  # a new folder, or one of a release with other roles
            kept = {role: new_password() for role in ROLES} | kept
            _keep_secret(file, "".join(f"{role} {password}\n" for role, password in kept.items()))
        return kept

    def api_key(self) -> str:
        """A valid key of the client `dev`, in `dev.key`; in `site.key` is one of the company's site."""
        lines = self.api_keys_file.read_text(encoding="ascii") if self.api_keys_file.exists() else ""
        for client in ("dev", site.CLIENT_ID):
            file = self.folder / f"{client}.key"
            if file.exists() and f" {client} " in lines:
                continue
            text, line = mint(client, frozenset({"intake"}), expires=None)
            lines += line + "\n"
            _keep_secret(self.api_keys_file, lines)
            _keep_secret(file, text + "\n")
        return (self.folder / KEY_FILE).read_text(encoding="ascii").strip()

    def erasure_key_file(self) -> Path:
        """A file with a key for the digests of erased persons."""
        file = self.folder / "erasure-key"
        if not file.exists():
            _keep_secret(file, secrets.token_urlsafe(48) + "\n")
        return file

    def write_environment(self, environ: Mapping[str, str]) -> Path:
        """Write the settings for a shell, so that e.g. `leadgen jobs list` works on this profile."""
        file = self.folder / "environment"
        _keep_secret(file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environ.items()))
        return file


def new_password() -> str:
    return _MARK + secrets.token_urlsafe(24)


def is_of_a_profile(url: str) -> bool:
    """Whether a profile made this URL for its own server, in this run or an earlier one."""
    return (urlsplit(url).password or "").startswith(_MARK)


def _keep_secret(file: Path, text: str) -> None:
    """Write the file completely or not at all, and never readable by others."""
    unfinished = file.with_name(file.name + _UNFINISHED)
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(os.fsencode(text))
    unfinished.rename(file)
