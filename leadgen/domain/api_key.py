"""API keys: their form `mcl_<key id>_<secret>_<checksum>`, and the ring of those that are accepted."""

import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from leadgen.errors import KeyFileError

SCOPES: Final = frozenset(
    {"intake", "metrics"}
)  # a release refuses a keys file with a scope that it does not know

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY_ID_LENGTH: Final = 8
_SECRET_LENGTH: Final = 43  # 43 symbols of 62 hold 256.03 bits
_CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32
_KEY_ID_FORM: Final = re.compile(rf"[0-9A-Za-z]{{{_KEY_ID_LENGTH}}}")
_KEY_FORM: Final = re.compile(
    rf"mcl_({_KEY_ID_FORM.pattern})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}_[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}}"
)
_PREFIX: Final = "mcl_"
_PREFIX_FORM: Final = re.compile(rf"{_PREFIX}({_KEY_ID_FORM.pattern})_")
_OPAQUE_LEAST: Final = 32
_OPAQUE_MOST: Final = 512
_OPAQUE_FORM: Final = re.compile(rf"[!-~]{{{_OPAQUE_LEAST},{_OPAQUE_MOST}}}")
_CLIENT_FORM: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_EXPIRES_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
_NO_DIGEST: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Client:
    """The owner of a presented key, and what that key allows."""

    client_id: str
    scopes: frozenset[str]
    key_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the keys file: `<key id> <client> <scope,scope> <sha256 of the key> <expires | never>`."""

    client: Client
    digest: bytes
    expires: datetime | None

    @classmethod
    def parse(cls, line: str) -> "Entry":
        """Raises ValueError with what is wrong; the text never repeats the line, which may contain a key."""
        words = line.split()
        if len(words) != 5:  # noqa: PLR2004 - the five names just below
            raise ValueError(f"has {len(words)} words instead of 5: key id, client, scopes, digest, expiry")
        key_id, client_id, scopes, digest, expires = words
        if not _KEY_ID_FORM.fullmatch(key_id):
            raise ValueError(f"does not start with a key id of {_KEY_ID_LENGTH} letters and digits")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError("does not have a SHA-256 digest of 64 hex digits as its fourth word")
        client = Client(_checked_client(client_id), _checked_scopes(scopes.split(",")), key_id)
        return cls(client, bytes.fromhex(digest), _parse_expires(expires))

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now

    @property
    def expires_text(self) -> str:
        return "never" if self.expires is None else self.expires.strftime(_EXPIRES_FORM)

    def __str__(self) -> str:
        scopes = ",".join(sorted(self.client.scopes))
        return f"{self.client.key_id} {self.client.client_id} {scopes} {self.digest.hex()} {self.expires_text}"


class KeyRing:
    """Every accepted key, by its id; a client may have several, so that rotation overlaps."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self._entries = entries

    @classmethod
    def load(cls, text: str, where: str = "API keys file") -> "KeyRing":
        """Read the text of a keys file, which `where` names.

        Raises KeyFileError, which names the first bad line or says that there is no key.
        """
        ring, faults = cls.salvage(text, where)
        if faults:
            raise faults[0]
        return ring

    @classmethod
    def salvage(cls, text: str, where: str) -> tuple["KeyRing", list[KeyFileError]]:
        """Read every good line of a keys file; also an error for each bad one.

        Raises KeyFileError if every line is bad, for the first of them, or if there is no line.
        """
        entries: dict[str, Entry] = {}
        faults: list[KeyFileError] = []
        for number, line in _lines(text):
            try:
                entry = Entry.parse(line)
            except ValueError as error:
                faults.append(_bad_line(where, number, str(error)))
                continue
            if entries.setdefault(entry.client.key_id, entry) is not entry:
                faults.append(_bad_line(where, number, "repeats the key id of an earlier line"))
        if not entries:
            no_key = KeyFileError(where, "it contains no key", "add the line that `leadgen keys new` prints")
            raise faults[0] if faults else no_key
        return cls(entries), faults

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def client_for(self, presented: str, now: datetime) -> Client | None:
        """The client that owns this key; None if it is mistyped, unknown or expired."""
        key_id = key_id_of(presented) or opaque_id_of(presented)
        if key_id is None:
            return None
        entry = self._entries.get(key_id)
        # An unknown id costs the same work as a known one, so that timing does not reveal which ids exist.
        same = hmac.compare_digest(digest_of(presented), entry.digest if entry else _NO_DIGEST)
        if entry is None or not same or entry.expired(now):
            return None
        return entry.client


def mint(client: str, scopes: frozenset[str], expires: datetime | None) -> tuple[str, str]:
    """Create a key: its text, which is shown once and stored nowhere, and its line for the keys file."""
    key_id = _random(_KEY_ID_LENGTH)
    body = f"mcl_{key_id}_{_random(_SECRET_LENGTH)}"
    text = f"{body}_{_checksum(body)}"
    owner = Client(_checked_client(client), _checked_scopes(list(scopes)), key_id)
    if expires is not None:
        expires = expires.astimezone(UTC).replace(microsecond=0)
    return text, str(Entry(owner, digest_of(text), expires))


def enrol(key: str, client: str, scopes: frozenset[str], expires: datetime | None) -> str:
    """Return the line for the keys file of an existing key. Raises ValueError."""
    key_id = key_id_of(key) or opaque_id_of(key)
    if key_id is None:
        raise ValueError(f"is neither one of ours nor {_OPAQUE_LEAST} to {_OPAQUE_MOST} visible ASCII characters")
    owner = Client(_checked_client(client), _checked_scopes(list(scopes)), key_id)
    if expires is not None:
        expires = expires.astimezone(UTC).replace(microsecond=0)
    return str(Entry(owner, digest_of(key), expires))


def opaque_id_of(text: str) -> str | None:
    """The key id of a key without one: the start of its digest; None if the key is too short or unreadable."""
    if not _OPAQUE_FORM.fullmatch(text) or text.startswith(_PREFIX):
        return None
    return digest_of(text).hex()[:_KEY_ID_LENGTH]


def key_id_of(text: str) -> str | None:
    """Return the key id of a well-formed key; None if the form or the checksum is wrong."""
    match = _KEY_FORM.fullmatch(text)
    body, _, checksum = text.rpartition("_")
    return match[1] if match and _checksum(body) == checksum else None


def key_id_in(key: str) -> str | None:
    """Return the id of a key for the log; the key may be wrong in any way after that."""
    match = _PREFIX_FORM.match(key)
    return match[1] if match else opaque_id_of(key)


def digest_of(text: str) -> bytes:
    return sha256(text.encode()).digest()


def without_key(text: str, key_id: str, now: datetime) -> str:
    """Return the text of a keys file with that key's line turned into a dated comment.

    Raises KeyError when no line has that key id.
    """
    lines = text.splitlines()
    for number, line in _lines(text):
        if line.split()[0] == key_id:
            what = " ".join(line.split()[:3])
            lines[number - 1] = f"# revoked {now.astimezone(UTC).strftime(_EXPIRES_FORM)}: {what}"
            return "\n".join(lines) + "\n"
    raise KeyError(key_id)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _bad_line(where: str, number: int, what: str) -> KeyFileError:
    return KeyFileError(f"{where}, line {number}", f"it {what}", "write it as `leadgen keys new` prints it")


def _checked_client(client: str) -> str:
    if not _CLIENT_FORM.fullmatch(client):
        raise ValueError("has a client name that is not 1 to 63 lowercase letters, digits and hyphens")
    return client


def _checked_scopes(scopes: list[str]) -> frozenset[str]:
    if not scopes or not SCOPES.issuperset(scopes):
        raise ValueError(f"has a scope that is not one of: {', '.join(sorted(SCOPES))}")
    return frozenset(scopes)


def _parse_expires(text: str) -> datetime | None:
    if text == "never":
        return None
    try:
        return datetime.strptime(text, _EXPIRES_FORM).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("has an expiry that is neither `never` nor like 2027-01-31T00:00:00Z") from None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    """CRC-32 in 6 symbols: it differs for every typo within four neighbouring characters."""
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
