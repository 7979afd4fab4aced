"""Settings: read once, every fault reported in one run, and no password in any message."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from redis import Redis

from leadgen.config import Config
from leadgen.errors import ConfigError

SECRET = "p4ssw0rd"
URL = f"postgresql://app:{SECRET}@db:5432/motorcade"
SEVERAL = f"postgresql://app:{SECRET}@a:5432,[::1]:5433,c/motorcade?target_session_attrs=read-write"
NEEDED = frozenset({"database_url", "redis_url", "api_keys_file"})
ENOUGH = {
    "LEADGEN_DATABASE_URL": URL,
    "LEADGEN_REDIS_URL": "redis://127.0.0.1:6379",
    "LEADGEN_API_KEYS_FILE": "/etc/leadgen/api-keys",
}

BARE = {
    "database": "postgresql://app@db:5432/motorcade?connect_timeout=3",
    "redis": "redis://cache:6379/1?protocol=2",
    "owner_database": "postgresql://owner@db/motorcade",
}
NASTY = "p@:/?#%[] &'\"\\+=;{url}{}%25ü✓"


def faults(environ: dict[str, str], need: frozenset[str] = frozenset()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.from_environ(environ, need=need)
    assert SECRET not in str(caught.value)
    assert all(f"\n  {fault}\n" in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


def test_what_is_not_set_has_its_default() -> None:
    config = Config.from_environ(ENOUGH, need=NEEDED)
    assert config.database_url == URL
    assert config.api_keys_file == Path("/etc/leadgen/api-keys")
    assert (config.bind, config.public_url, config.workers) == ("127.0.0.1:8000", "/lead", 2)
    assert config.database_copies == 1
    assert config.service_area_states == {"TX"}
    assert (config.profile, config.log_level, config.release) == ("production", "INFO", "unreleased")
    assert (config.owner_database_url, config.metrics_dir) == (None, None)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    empty = {f"LEADGEN_{setting.name.upper()}": " " for setting in fields(Config)}
    assert Config.from_environ(empty | ENOUGH) == Config.from_environ(ENOUGH)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("database_url", SEVERAL, SEVERAL),
        ("database_copies", "2", 2),
        ("redis_url", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("service_area_states", "tx, OK ,NM", {"TX", "OK", "NM"}),
        ("bind", "[::1]:80", "[::1]:80"),
        ("public_url", "https://motorcade.vip/api/lead", "https://motorcade.vip/api/lead"),
        ("workers", "99", 99),
        ("profile", "dev", "dev"),
        ("log_level", "DEBUG", "DEBUG"),
        ("metrics_dir", "/run/leadgen", Path("/run/leadgen")),
    ],
)
def test_a_setting_is_read_from_its_variable(name: str, text: str, value: object) -> None:
    config = Config.from_environ(ENOUGH | {f"LEADGEN_{name.upper()}": text})
    assert getattr(config, name) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("database_url", f"mysql://app:{SECRET}@db/d", "is not a URL of the form postgresql://"),
        ("database_url", f"postgresql://app:{SECRET}@db:many/d", "is not a URL of the form postgresql://"),
        ("database_url", f"postgresql://app:{SECRET}@[db/d", "is not a URL of the form postgresql://"),
        ("database_url", f"postgresql://app:{SECRET}@a:1,b:many/d", "is not a URL of the form postgresql://"),
        ("database_url", f"postgresql://app:{SECRET}@a:1,b:0/d", "is not a URL of the form postgresql://"),
        ("database_copies", "3", "is neither 1 nor 2"),
        ("owner_database_url", SECRET, "is not a URL of the form postgresql://"),
        ("redis_url", f"http://:{SECRET}@r", "is not a URL of the form redis://"),
        ("service_area_states", "TX,ZZ,", "has unknown states: '', 'ZZ'"),
        ("bind", "8000", "is not HOST:PORT"),
        ("bind", "127.0.0.1:65536", "is not HOST:PORT"),
        ("bind", "127.0.0.1:http", "is not HOST:PORT"),
        ("public_url", "/lead/", "is neither a path such as /lead nor a URL"),
        ("public_url", "lead", "is neither a path such as /lead nor a URL"),
        ("workers", "0", "is not a whole number from 1 to 99"),
        ("workers", "2.5", "is not a whole number from 1 to 99"),
        ("profile", "test", "is not one of production, dev"),
        ("log_level", "debug", "is not one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_bad_value_is_a_fault_that_names_its_variable(name: str, text: str, message: str) -> None:
    [fault] = faults(ENOUGH | {f"LEADGEN_{name.upper()}": text})
    assert fault.startswith(f"LEADGEN_{name.upper()} {message}")


def test_one_error_reports_every_fault() -> None:
    environ = {
        "LEADGEN_DATABASE_URL": f"mysql://{SECRET}",
        "LEADGEN_REDIS_URL_FILE": "/nowhere/redis",
        "LEADGEN_WORKERS": "many",
        "LEADGEN_WORKER": "2",
    }
    message = faults(environ, NEEDED)
    assert [fault.split()[0] for fault in message] == [
        "LEADGEN_DATABASE_URL",
        "LEADGEN_REDIS_URL_FILE:",
        "LEADGEN_API_KEYS_FILE",
        "LEADGEN_WORKERS",
        "LEADGEN_WORKER",
    ]


def test_only_what_a_command_needs_has_to_be_there() -> None:
    assert Config.from_environ({}).database_url is None
    assert faults({}, frozenset({"database_url"})) == [
        (
            "LEADGEN_DATABASE_URL is not set: PostgreSQL, as the role `motorcade_api` for the API, `motorcade_app`"
            " elsewhere."
        )
    ]


def test_a_variable_of_ours_that_no_setting_has_is_a_fault_and_others_are_left_alone() -> None:
    assert faults({"LEADGEN_DATABSE_URL": URL, "PATH": "/bin"}) == ["LEADGEN_DATABSE_URL is not a known setting"]
    assert faults({"LEADGEN_WORKERS_FILE": "/etc/workers"}) == ["LEADGEN_WORKERS_FILE is not a known setting"]


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    assert Config.from_environ({"LEADGEN_DATABASE_URL_FILE": str(tmp_path / "url")}).database_url == URL


def test_a_secret_set_twice_or_in_an_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL)
    (tmp_path / "bytes").write_bytes(b"\xff" + SECRET.encode())
    (tmp_path / "empty").write_text("\n")
    both = {"LEADGEN_DATABASE_URL": URL, "LEADGEN_DATABASE_URL_FILE": str(tmp_path / "url")}
    assert faults(both) == ["LEADGEN_DATABASE_URL and LEADGEN_DATABASE_URL_FILE are both set: keep one"]
    assert faults({"LEADGEN_DATABASE_URL_FILE": str(tmp_path / "none")}) == [
        "LEADGEN_DATABASE_URL_FILE: No such file or directory"
    ]
    assert faults({"LEADGEN_DATABASE_URL_FILE": str(tmp_path / "bytes")}) == [
        "LEADGEN_DATABASE_URL is in a file that is not text"
    ]
    assert faults({"LEADGEN_REDIS_PASSWORD_FILE": str(tmp_path / "empty")}) == [
        "LEADGEN_REDIS_PASSWORD is read from LEADGEN_REDIS_PASSWORD_FILE, an empty file: fill or unset it"
    ]


def test_a_config_can_be_printed_without_its_passwords() -> None:
    config = Config.from_environ(ENOUGH | {"LEADGEN_OWNER_DATABASE_URL": URL})
    assert SECRET not in repr(config)
    assert "127.0.0.1:8000" in repr(config)


def bare(**passwords: str) -> dict[str, str]:
    urls = {f"LEADGEN_{name.upper()}_URL": url for name, url in BARE.items()}
    return urls | {f"LEADGEN_{name.upper()}_PASSWORD": password for name, password in passwords.items()}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])).map(str.strip).filter(bool))
@example(NASTY)
def test_a_separate_password_reaches_the_driver_unchanged(password: str) -> None:
    config = Config.from_environ(bare(database=password, redis=password, owner_database=password))
    assert conninfo_to_dict(config.database_url) == {
        "user": "app", "password": password, "host": "db", "port": "5432", "dbname": "motorcade",
        "connect_timeout": "3",
    }  # fmt: skip
    assert conninfo_to_dict(config.owner_database_url or "")["password"] == password
    redis = Redis.from_url(config.redis_url).get_connection_kwargs()
    assert (redis["password"], redis["host"], redis["db"], redis["protocol"]) == (password, "cache", 1, 2)


def test_a_separate_password_goes_into_a_url_of_several_hosts() -> None:
    url = {"LEADGEN_DATABASE_URL": SEVERAL.replace(f":{SECRET}", ""), "LEADGEN_DATABASE_PASSWORD": SECRET}
    assert Config.from_environ(url).database_url == SEVERAL
    assert conninfo_to_dict(SEVERAL)["host"] == "a,::1,c"


def test_a_password_goes_to_a_named_user_and_through_a_socket_too() -> None:
    named = Redis.from_url(
        Config.from_environ({"LEADGEN_REDIS_URL": "redis://api@r", "LEADGEN_REDIS_PASSWORD": NASTY}).redis_url
    ).get_connection_kwargs()
    assert (named["username"], named["password"], named["host"]) == ("api", NASTY, "r")
    through = Redis.from_url(
        Config.from_environ({"LEADGEN_REDIS_URL": "unix:///run/r", "LEADGEN_REDIS_PASSWORD": NASTY}).redis_url
    ).get_connection_kwargs()
    assert (through["path"], through["password"]) == ("/run/r", NASTY)


def test_a_password_may_stand_in_a_file_and_is_never_printed(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET + "\n")
    config = Config.from_environ(bare() | {"LEADGEN_DATABASE_PASSWORD_FILE": str(tmp_path / "password")})
    assert config.database_url == BARE["database"].replace("app@", f"app:{SECRET}@")
    assert SECRET not in repr(config)
    assert config.redis_url == BARE["redis"]


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("DATABASE", URL, "is set, and LEADGEN_DATABASE_URL already has a password: keep one"),
        (
            "DATABASE",
            f"postgresql://app@db/d?password={SECRET}",
            "is set, and LEADGEN_DATABASE_URL already has a password: keep one",
        ),
        ("REDIS", f"redis://:{SECRET}@r", "is set, and LEADGEN_REDIS_URL already has a password: keep one"),
        (
            "OWNER_DATABASE",
            "postgresql://db/d",
            "needs LEADGEN_OWNER_DATABASE_URL to be of the form postgresql://user@host:port/name",
        ),
        ("REDIS", "", "needs LEADGEN_REDIS_URL to be of the form redis://host:port"),
    ],
)
def test_a_password_that_its_url_cannot_take_is_a_fault(name: str, url: str, message: str) -> None:
    environ = {f"LEADGEN_{name}_URL": url, f"LEADGEN_{name}_PASSWORD": SECRET}
    assert faults(environ) == [f"LEADGEN_{name}_PASSWORD {message}"]


@pytest.mark.parametrize("odd", ["\n", "\0", "\x7f", "\udcff"])
def test_a_password_that_is_not_one_line_of_text_is_a_fault(odd: str) -> None:
    assert faults(bare(database=f"{SECRET}{odd}{SECRET}")) == ["LEADGEN_DATABASE_PASSWORD is not one line of text"]
