"""The store of one environment's secrets: a manifest, recipients, and an armoured age file for each secret."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyrage

from deploys.kit.errors import Refused
from deploys.kit.secrets import keys, manifest, value
from deploys.kit.secrets.manifest import Rule

COMMAND: Final = "python -m deploys.kit.secrets"
_REPLACE: Final = f"replace it ({COMMAND} rotate, or set)"
_FILE_MODE: Final = 0o644  # its files are encrypted or public, and git keeps them


@dataclass(frozen=True)
class Vault:
    """The folder of an environment's secrets, and the key that decrypts them; holds no value."""

    directory: Path
    identity: Path | None = None

    @property
    def manifest(self) -> Path:
        return self.directory / "manifest.yaml"

    @property
    def recipients(self) -> Path:
        return self.directory / "recipients.txt"

    def file(self, name: str) -> Path:
        return self.directory / f"{name}.age"

    def rules(self) -> dict[str, Rule]:
        return manifest.load(self.manifest)

    def rule(self, name: str) -> Rule:
        rules = self.rules()
        if name not in rules:
            raise Refused(
                str(self.directory),
                f"no service declares a secret {name!r}",
                f"correct the name ({', '.join(rules)}), or the declaration in deploys/services",
            )
        return rules[name]

    def ciphertext(self, name: str) -> bytes:
        made_by = self.rule(name).made_by
        try:
            return self.file(name).read_bytes()
        except FileNotFoundError:
            random = f"generate it ({COMMAND} rotate) or enter it ({COMMAND} set)"
            remedy = f"enter what `{made_by}` prints ({COMMAND} set)" if made_by else random
            raise Refused(str(self.file(name)), "no such file", remedy) from None
        except OSError as error:
            raise Refused(str(self.file(name)), f"cannot be read ({error.strerror})", "restore it") from None

    def reveal(self, name: str) -> str:
        """The value. Raises Refused for anything but a usable secret."""
        return self.decrypt(name, self.ciphertext(name))

    def decrypt(self, name: str, ciphertext: bytes) -> str:
        """The decrypted value; pass it on and drop it, never keep or show it."""
        file = str(self.file(name))
        path, identities = keys.identities(self.identity)
        try:
            content: bytes = pyrage.decrypt(ciphertext, identities)
        except pyrage.DecryptError as error:
            remedy = f"if you should have access, ask an operator who has it to rotate it for {self.recipients}"
            raise Refused(file, f"cannot be decrypted with {path} ({error})", remedy) from None
        found = value.text(content)
        if found is None:
            raise Refused(file, "is not UTF-8", _REPLACE)
        if wrong := value.fault(found, self.rule(name).minimum_length):
            raise Refused(file, wrong, _REPLACE)
        return found

    def faults(self, names: Sequence[str]) -> list[Refused]:
        """One refusal for each secret that cannot be used."""
        found = []
        for name in names:
            try:
                self.reveal(name)
            except Refused as refused:
                found.append(refused)
        return found

    def needed(self) -> list[str]:
        """Every secret but the optional ones that are not there."""
        return [name for name, rule in self.rules().items() if not rule.optional or self.file(name).exists()]

    def unlisted(self) -> list[str]:
        """Files of secrets that no service declares, so no page reads them."""
        return sorted({file.stem for file in self.directory.glob("*.age")} - set(self.rules()))

    def readers(self) -> list[Any]:
        """The public keys for which a new value is encrypted. Raises Refused if there are none."""
        return keys.recipients(self.recipients)

    def store(self, name: str, new: str) -> None:
        """Encrypts for all recipients; the old file stays until the new one is complete. Raises Refused."""
        if wrong := value.fault(new, self.rule(name).minimum_length):
            raise Refused(f"the new {name}", wrong, "give another value; nothing was changed")
        noted = manifest.rotated(self.manifest, name, datetime.now(UTC).date())
        encrypted: bytes = pyrage.encrypt(new.encode(), self.readers(), armored=True)
        _write(self.file(name), encrypted)
        # Last, so that a crash in between leaves an old date, never one too new.
        _write(self.manifest, noted.encode())


def generate_all(directory: Path, source: Path, recipients: Sequence[str]) -> Vault:
    """Fills an empty directory: the manifest `source`, these public keys, and a new value for each secret."""
    vault = Vault(directory)
    if directory.is_dir() and any(directory.iterdir()):
        raise Refused(str(directory), "is not empty", f"rotate what is in it ({COMMAND} rotate)")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(vault.manifest, source.read_bytes())
    _write(vault.recipients, "".join(f"{line}\n" for line in recipients).encode())
    for name, rule in vault.rules().items():
        vault.store(name, value.generate(rule.minimum_length))
    return vault


def _write(path: Path, content: bytes) -> None:
    """Writes with one rename, so that no reader sees half a file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, _FILE_MODE)
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
