"""The process's settings, read once from the environment into one frozen record."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from leadgen.domain import us_states
from leadgen.domain.erasure import LEAST_KEY_BYTES, ErasureKey
from leadgen.errors import ConfigError

PREFIX: Final = "LEADGEN_"

STATES: Final = frozenset(us_states.NAMES)

# Each password with the setting whose URL it goes into, and the form of that URL.
_PASSWORDS: Final = {
    "database_password": ("database_url", "postgresql://user@host:port/name"),
    "redis_password": ("redis_url", "redis://host:port"),
    "owner_database_password": ("owner_database_url", "postgresql://user@host:port/name"),
}


def _text(value: str) -> str:
    return value


def _password(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", value):
        raise ValueError("is not one line of text")
    return value


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL's may name several
            known = parts.scheme in schemes and all(urlsplit(f"//{host}").port != 0 for host in hosts)
        except ValueError:
            known = False
        if not known:
            # The value may contain a password: never repeat it.
            raise ValueError(f"is not a URL of the form {schemes[0]}://user@host:port/name")
        return value

    return parse


def _path(value: str) -> Path:
    return Path(value)


def _directory(value: str) -> Path:
    path = Path(value)
    if not path.is_dir():
        raise ValueError("is not a directory")
    return path


def _states(value: str) -> frozenset[str]:
    states = frozenset(part.strip().upper() for part in value.split(","))
    if unknown := sorted(states - STATES):
        raise ValueError(f"has unknown states: {', '.join(map(repr, unknown))}; write e.g. TX,OK")
    return states


def _state(value: str) -> str:
    (state,) = _states(value) if "," not in value else [""]
    if not state:
        raise ValueError("is not one state; write e.g. TX")
    return state


def _bind(value: str) -> str:
    _, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError("is not HOST:PORT, e.g. 127.0.0.1:8000")
    return value


def _public_url(value: str) -> str:
    if not re.fullmatch(r"(https?://[^/?#\s]+)?(/[^/?#\s]+)+", value):
        raise ValueError("is neither a path such as /lead nor a URL such as https://example.com/api/lead")
    return value


def _count(value: str) -> int:
    if not re.fullmatch(r"[1-9]\d?", value):
        raise ValueError("is not a whole number from 1 to 99")
    return int(value)


def _amount(value: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,14}", value):
        raise ValueError("is not a whole number from 1 to 999999999999999")
    return int(value)


def _erasure_key(value: str) -> ErasureKey:
    if len(value.encode()) < LEAST_KEY_BYTES:
        raise ValueError(f"has fewer than {LEAST_KEY_BYTES} bytes")
    return ErasureKey(value.encode())


def _copies(value: str) -> int:
    if value not in {"1", "2"}:
        raise ValueError("is neither 1 nor 2")
    return int(value)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return value

    return parse


def _setting(parse: Callable[[str], Any], meaning: str, *, default: object = MISSING, secret: bool = False) -> Any:  # noqa: ANN401 - like dataclasses.field: the annotation beside it is the type
    return field(default=default, repr=not secret, metadata={"parse": parse, "meaning": meaning, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of the intake; `name` is read from `LEADGEN_NAME`.

    A secret can be read from a file instead, named by `LEADGEN_NAME_FILE`. The URLs include their passwords,
    whichever way those were set.
    """

    database_url: str = _setting(
        _url("postgresql", "postgres"),
        "PostgreSQL, as the role `motorcade_api` for the API, `motorcade_app` elsewhere.",
        secret=True,
    )
    database_password: str | None = _setting(
        _password,
        "The password for LEADGEN_DATABASE_URL, exactly as it is, not percent-encoded.",
        default=None,
        secret=True,
    )
    database_copies: int = _setting(
        _copies,
        "How many hosts have a lead on disk before its 202: 1 or 2. With 2, PostgreSQL must wait for a standby: "
        "while its `synchronous_standby_names` is empty, submissions get a 503.",
        default=1,
    )
    redis_url: str = _setting(_url("redis", "rediss", "unix"), "Redis, used for the doorbell only.", secret=True)
    redis_password: str | None = _setting(
        _password,
        "The password for LEADGEN_REDIS_URL, exactly as it is, not percent-encoded.",
        default=None,
        secret=True,
    )
    api_keys_file: Path = _setting(_path, "The file with one API key per line; see `leadgen keys new`.")
    owner_database_url: str | None = _setting(
        _url("postgresql", "postgres"),
        "PostgreSQL, as the role `motorcade_owner`; only `leadgen migrate` uses it.",
        default=None,
        secret=True,
    )
    owner_database_password: str | None = _setting(
        _password, "The password for LEADGEN_OWNER_DATABASE_URL, as it is.", default=None, secret=True
    )
    service_area_states: frozenset[str] = _setting(
        _states, "The states we serve: two-letter codes, separated by commas.", default=frozenset({"TX"})
    )
    site_default_state: str | None = _setting(
        _state,
        "The state of a submission from the site's own form that names none, if we serve it; the lead is flagged.",
        default="TX",
    )
    bind: str = _setting(
        _bind, "The address the API listens on, unless systemd passes it a socket.", default="127.0.0.1:8000"
    )
    public_url: str = _setting(
        _public_url,
        "The path or URL that callers put before `/intake`; Location and problem types start with it.",
        default="/lead",
    )
    workers: int = _setting(_count, "The number of API processes.", default=2)
    client_rate: int = _setting(
        _amount, "The submissions a second that one client may send over time, to one API process.", default=200
    )
    client_burst: int = _setting(
        _amount, "The submissions that one client may send at once, to one API process.", default=10_000
    )
    client_daily_leads: int = _setting(
        _amount, "The submissions that one client may send in a day (UTC), to one API process.", default=1_000_000
    )
    client_daily_bytes: int = _setting(
        _amount, "The bytes that they may have in a day (UTC), to one API process.", default=4 * 1024**3
    )
    database_disk: Path | None = _setting(
        _directory,
        "A directory on the disk of PostgreSQL's data: with less than 10 % of that disk free, submissions are "
        "answered 503. By default, free space is not checked.",
        default=None,
    )
    erasure_key: ErasureKey | None = _setting(
        _erasure_key,
        "The key of the digests that are left of an erased person: at least 32 bytes, random, never changed. Only "
        "`leadgen person`, `leadgen erasures` and `leadgen retain` use it.",
        default=None,
        secret=True,
    )
    retention_months: int = _setting(
        _count, "The months after which `leadgen retain` removes a lead and its intake.", default=24
    )
    profile: str = _setting(_one_of("production", "dev"), "`dev` adds the form page at `/`.", default="production")
    release: str = _setting(
        _text, "The version that health reports; images set their git ref.", default="unreleased"
    )
    log_level: str = _setting(
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "The lowest level of log lines to write.",
        default="INFO",
    )
    metrics_dir: Path | None = _setting(
        _path,
        "The directory where API processes share their metrics, in memory (tmpfs); a start removes those of "
        "ended processes. By default, and in place of a directory on a disk, it is in /dev/shm, named after the "
        "user and the port.",
        default=None,
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, need: frozenset[str] = frozenset()) -> "Config":
        """Read all settings; of the required ones only those in `need` must be set.

        Raises ConfigError with every fault, so that one run shows all there is to fix.
        """
        faults: list[str] = []
        values: dict[str, Any] = {setting.name: _read(setting, environ, need, faults) for setting in fields(cls)}
        _join_passwords(values, faults)
        faults += _unknown(environ)
        if faults:
            raise ConfigError(faults)
        return cls(**values)


def load(*need: str) -> Config:
    """The settings of this process. Raises ConfigError."""
    return Config.from_environ(os.environ, need=frozenset(need))


def environ_with(**changes: str) -> dict[str, str]:
    """The environment for a program that replaces this one."""
    return {**os.environ, **changes}


def _read(setting: "Field[Any]", environ: Mapping[str, str], need: frozenset[str], faults: list[str]) -> object:
    variable = PREFIX + setting.name.upper()
    try:
        text = _text_of(setting, variable, environ)
        if text:
            return setting.metadata["parse"](text)
    except (ValueError, OSError) as error:
        faults.append(
            f"{variable} {error}" if isinstance(error, ValueError) else f"{variable}_FILE: {error.strerror}"
        )
    else:
        if setting.name in need:
            faults.append(f"{variable} is not set: {setting.metadata['meaning']}")
    return None if setting.default is MISSING else setting.default


def _text_of(setting: "Field[Any]", variable: str, environ: Mapping[str, str]) -> str:
    file = environ.get(variable + "_FILE") if setting.metadata["secret"] else None
    if file is None:
        return environ.get(variable, "").strip()
    if variable in environ:
        raise ValueError(f"and {variable}_FILE are both set: keep one")
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("is in a file that is not text") from None
    if not text:
        raise ValueError(f"is read from {variable}_FILE, an empty file: fill or unset it")
    return text


def _join_passwords(values: dict[str, Any], faults: list[str]) -> None:
    """Put each separately set password into its URL, so that no other code has to know about it."""
    for name, (url_name, form) in _PASSWORDS.items():
        if password := values[name]:
            try:
                values[url_name] = _with_password(values[url_name] or "", password)
            except ValueError as error:
                faults.append(f"{PREFIX}{name.upper()} {error}".format(url=PREFIX + url_name.upper(), form=form))


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if ":" in user or "password" in parse_qs(parts.query):
        raise ValueError("is set, and {url} already has a password: keep one")
    # PostgreSQL's password is a role's; Redis has a default user.
    if not parts.scheme or (not user and parts.scheme.startswith("postgres")):
        raise ValueError("needs {url} to be of the form {form}")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {PREFIX + setting.name.upper() for setting in fields(Config)}
    known |= {PREFIX + setting.name.upper() + "_FILE" for setting in fields(Config) if setting.metadata["secret"]}
    return [
        f"{name} is not a known setting"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]
