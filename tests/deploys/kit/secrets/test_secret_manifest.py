"""The manifest of secrets is read whole or refused, and a rotation changes one date in it."""

from datetime import date
from pathlib import Path

import pytest

from deploys.kit.errors import Refused
from deploys.kit.secrets import manifest
from deploys.kit.secrets.manifest import Rule

WHOLE = """\
# A comment that stays.
redis:  # and this one
  consumers: [PLAT_08B, motorcade-redis]

  minimum_length: 24
  # the day
  rotated_on: never  # yet
api-keys:
  rotated_on: 2026-01-31
  consumers:
    - LEADGEN_06
  minimum_length: 8
"""
SHAPE = (
    "below each name write consumers (a list of pages or units), minimum_length (a number) and rotated_on"
    " (a date such as 2026-01-31, or never)"
)
DAY = date(2026, 11, 21)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.yaml"


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(Refused) as error:
        manifest.load(path)
    return str(error.value)


def test_it_is_read_in_its_order(path: Path) -> None:
    path.write_text(WHOLE)
    assert manifest.load(path) == {
        "redis": Rule(("PLAT_08B", "motorcade-redis"), 24, "never"),
        "api-keys": Rule(("LEADGEN_06",), 8, "2026-01-31"),
    }
    assert list(manifest.load(path)) == ["redis", "api-keys"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  minimum_length: 24\n", "", "redis.minimum_length is missing"),
        ("minimum_length: 24", "minimum_length: 0", "redis.minimum_length is '0'"),
        ("minimum_length: 24", "minimum_length: 2_4", "redis.minimum_length is '2_4'"),
        ("minimum_length: 24", "minimum_length:", "redis.minimum_length is empty"),
        ("minimum_length: 24", "minimum_length: [24]", "redis.minimum_length is no single value"),
        ("minimum_length: 24", "minimum_lenght: 24", "redis.minimum_lenght is no key of a secret"),
        ("minimum_length: 24", "minimum_length: 24\n  minimum_length: 1", "redis.minimum_length stands twice"),
        ("never", "yesterday", "redis.rotated_on is 'yesterday'"),
        ("2026-01-31", "20260131", "api-keys.rotated_on is '20260131'"),
        ("2026-01-31", "2026-02-31", "api-keys.rotated_on is '2026-02-31'"),
        ("[PLAT_08B, motorcade-redis]", "[]", "redis.consumers names nobody"),
        ("[PLAT_08B, motorcade-redis]", "PLAT_08B", "redis.consumers is no list"),
        ("PLAT_08B,", "'PLAT 08B',", "redis.consumers is 'PLAT 08B'"),
        ("api-keys:", "../api-keys:", "../api-keys is no name of a secret"),
        ("api-keys:", "Api_keys:", "Api_keys is no name of a secret"),
        ("api-keys:", "lone: word\napi-keys:", "lone holds no keys"),
        ("api-keys:", "redis:", "redis stands twice"),
    ],
)
def test_a_fault_is_refused_by_file_and_key(path: Path, old: str, new: str, fault: str) -> None:
    said = refused(path, WHOLE.replace(old, new, 1))
    assert said.startswith(f"{path}: ")
    assert fault in said
    assert said.endswith(f"; {SHAPE}")


def test_all_faults_are_told_at_once(path: Path) -> None:
    said = refused(path, "a:\n  consumers: [x]\nb: c\n")
    assert said == f"{path}: a.minimum_length is missing, a.rotated_on is missing, b holds no keys; {SHAPE}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (WHOLE[:-1], "its last line has no end; restore the whole file from git"),
        ("", "its last line has no end; restore the whole file from git"),
        ("# nothing\n", f"names no secret; {SHAPE}"),
        ("- a\n", f"names no secret; {SHAPE}"),
        ("a: [\n", "line 2: while parsing a flow node"),
        ("a: &b 1\n", "line 1: anchors and aliases are not read here"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(path: Path, text: str, fault: str) -> None:
    assert refused(path, text).startswith(f"{path}: {fault}")


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    with pytest.raises(Refused) as error:
        manifest.load(path)
    assert str(error.value) == f"{path}: cannot be read (No such file or directory); restore it from git"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(Refused, match="byte 3 is no UTF-8; save it as UTF-8"):
        manifest.load(path)


@pytest.mark.parametrize(("name", "old"), [("redis", "rotated_on: never"), ("api-keys", "rotated_on: 2026-01-31")])
def test_noting_a_rotation_changes_one_date_and_nothing_else(path: Path, name: str, old: str) -> None:
    path.write_text(WHOLE)
    assert manifest.rotated(path, name, DAY) == WHOLE.replace(old, "rotated_on: 2026-11-21")
    assert path.read_text() == WHOLE


def test_noting_the_day_that_stands_there_already_changes_nothing(path: Path) -> None:
    path.write_text(WHOLE)
    assert manifest.rotated(path, "api-keys", date(2026, 1, 31)) == WHOLE


def test_a_date_that_has_no_line_of_its_own_is_refused_and_not_guessed(path: Path) -> None:
    path.write_text("a: {consumers: [x], minimum_length: 8, rotated_on: never}\n" + WHOLE)
    with pytest.raises(Refused) as error:
        manifest.rotated(path, "a", DAY)
    assert str(error.value) == (
        f"{path}: the day of a cannot be noted; give its rotated_on a line of its own, indented"
    )


@pytest.mark.parametrize("environment", ["prod", "staging", "lab"])
def test_every_environment_has_the_four_passwords_of_the_database(environment: str) -> None:
    rules = manifest.load(Path("group_data/secrets") / environment / "manifest.yaml")
    assert {f"postgres-{role}" for role in ("owner", "app", "ro", "backup")} <= set(rules)
    assert all(rule.minimum_length >= 24 for name, rule in rules.items() if name != "backup-s3-key-id")
