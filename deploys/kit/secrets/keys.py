"""The operators' keys: the recipients of the secrets, and the identity that decrypts them."""

import os
import stat
from pathlib import Path
from typing import Any, Final

import pyrage

from deploys.kit.errors import Refused

IDENTITY_VARIABLE: Final = "MOTORCADE_AGE_IDENTITY"
_OWNER_ONLY: Final = (0o600, 0o400)
_SSH_KEY: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def identities(setting: Path | None) -> tuple[Path, list[Any]]:
    """The file named by the setting, or else by the environment, and its identities. Raises Refused."""
    named = setting or os.environ.get(IDENTITY_VARIABLE)
    if not named:
        raise Refused(
            IDENTITY_VARIABLE,
            "no age identity is configured",
            "set it to the path of the file with your private key",
        )
    path = Path(named).expanduser()
    content = _private(path)
    try:
        if content.startswith(_SSH_KEY):
            return path, [pyrage.ssh.Identity.from_buffer(content)]
        found = [pyrage.x25519.Identity.from_str(line) for line in _lines(content.decode("ascii", "replace"))]
    except pyrage.IdentityError as error:
        raise Refused(str(path), f"is not a usable age identity ({error})", _IDENTITY_REMEDY) from None
    if not found:
        raise Refused(str(path), "contains no identity", _IDENTITY_REMEDY)
    return path, found


def recipients(path: Path) -> list[Any]:
    """The recipients of everything encrypted from now on. Raises Refused, also if there are none."""
    return [recipient(text) for text in recipient_lines(path)]


def recipient_lines(path: Path) -> list[str]:
    """The same as text, one public key each. Raises Refused."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Refused(str(path), f"cannot be read ({error.strerror})", _RECIPIENT_REMEDY) from None
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        for text in _lines(line):
            try:
                recipient(text)
            except ValueError:
                raise Refused(
                    f"{path}:{number}", "is not an age or ssh-ed25519 public key", "correct or remove the line"
                ) from None
            found.append(text)
    if not found:
        raise Refused(str(path), "lists no recipient", _RECIPIENT_REMEDY)
    return found


def recipient(text: str) -> Any:  # noqa: ANN401 - pyrage has a class for each kind and no types
    """Raises ValueError if it is not a public key of the two kinds."""
    kinds = {"age1": pyrage.x25519.Recipient, "ssh-ed25519 ": pyrage.ssh.Recipient}
    for start, kind in kinds.items():
        if text.startswith(start):
            try:
                return kind.from_str(text)
            except pyrage.RecipientError:
                break
    raise ValueError("not an age or ssh-ed25519 public key")


def _private(path: Path) -> bytes:
    """The content of a file that only its owner can read or write."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused(str(path), "is not a file", _IDENTITY_REMEDY)
            if status.st_uid != os.geteuid():
                raise Refused(
                    str(path),
                    f"belongs to user {status.st_uid} and you are {os.geteuid()}",
                    "use an identity of your own",
                )
            if stat.S_IMODE(status.st_mode) not in _OWNER_ONLY:
                mode = stat.S_IMODE(status.st_mode)
                raise Refused(str(path), f"mode {mode:04o} is not 0600 or 0400", f"chmod 600 {path}")
            return file.read()
    except OSError as error:
        raise Refused(str(path), f"cannot be read ({error.strerror})", _IDENTITY_REMEDY) from None


def _lines(text: str) -> list[str]:
    """The lines of an age key file, without comments and blank lines."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


_IDENTITY_REMEDY: Final = (
    f"name a file made by `age-keygen`, or an ssh-ed25519 key without passphrase, in {IDENTITY_VARIABLE}"
)
_RECIPIENT_REMEDY: Final = "write each operator's age or ssh-ed25519 public key there, one a line"
