"""The manifest of secrets is read whole or refused, and a rotation changes one date in it."""

from datetime import date
from pathlib import Path

import pytest

from deploys.kit.errors import Refused
from deploys.kit.plan import services
from deploys.kit.secrets import manifest
from deploys.kit.secrets.manifest import Rule

WHOLE = """\
# A comment that stays.

api-key: 2026-01-31  # and this one
"""
SHAPE = "write each as `<name>: <date>`, such as `redis-worker: 2026-01-31`; without a line: never"
DAY = date(2026, 11, 21)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.yaml"


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(Refused) as error:
        manifest.load(path)
    return str(error.value)


def test_every_declared_secret_has_its_rule_and_the_day_of_the_file(path: Path) -> None:
    path.write_text(WHOLE)
    assert manifest.load(path) == {
        "redis": Rule(("PLAT_08B", "motorcade-redis"), 24, "never"),
        "api-key": Rule(("PLAT_04", "LEADGEN_06"), 16, "2026-01-31"),
    }


def test_a_file_of_comments_says_that_nothing_was_ever_rotated(path: Path) -> None:
    path.write_text("# nothing\n")
    assert [rule.rotated_on for rule in manifest.load(path).values()] == ["never", "never"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("2026-01-31", "yesterday", "api-key is 'yesterday'"),
        ("2026-01-31", "20260131", "api-key is '20260131'"),
        ("2026-01-31", "2026-02-31", "api-key is '2026-02-31'"),
        ("2026-01-31", "never", "api-key is 'never'"),
        ("2026-01-31", "", "api-key is ''"),
        ("2026-01-31", "[2026-01-31]", "api-key is ['2026-01-31']"),
        ("2026-01-31", "\n  rotated_on: 2026-01-31", "api-key is {'rotated_on': '2026-01-31'}"),
        ("api-key:", "../api-key:", "../api-key is declared by no service"),
        ("api-key:", "Api-key:", "Api-key is declared by no service"),
        ("api-key:", "api-key: 2026-01-30\napi-key:", "api-key stands twice"),
    ],
)
def test_a_fault_is_refused_by_file_and_name(path: Path, old: str, new: str, fault: str) -> None:
    said = refused(path, WHOLE.replace(old, new, 1))
    assert said.startswith(f"{path}: ")
    assert fault in said
    assert said.endswith(f"; {SHAPE}")


def test_all_faults_are_in_one_error(path: Path) -> None:
    assert refused(path, "a: 2026-01-31\nredis: soon\n") == (
        f"{path}: a is declared by no service, redis is 'soon'; {SHAPE}"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (WHOLE[:-1], "does not end with a newline, so it may be cut off; restore the whole file from git"),
        ("", "does not end with a newline, so it may be cut off; restore the whole file from git"),
        ("- a\n", f"is not a list of secrets and days; {SHAPE}"),
        ("a: [\n", "line 2: while parsing a flow node"),
        ("a: &b 1\n", "line 1: anchors and aliases are not read here"),
    ],
)
def test_a_file_that_is_not_a_manifest_is_refused(path: Path, text: str, fault: str) -> None:
    assert refused(path, text).startswith(f"{path}: {fault}")


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    with pytest.raises(Refused) as error:
        manifest.load(path)
    assert str(error.value) == f"{path}: cannot be read (No such file or directory); restore it from git"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(Refused, match="byte 3 is not UTF-8; save it as UTF-8"):
        manifest.load(path)


def test_noting_a_rotation_changes_one_date_and_nothing_else(path: Path) -> None:
    path.write_text(WHOLE)
    assert manifest.rotated(path, "api-key", DAY) == WHOLE.replace("2026-01-31", "2026-11-21")
    assert path.read_text() == WHOLE


def test_the_first_rotation_of_a_secret_adds_its_line(path: Path) -> None:
    path.write_text(WHOLE)
    assert manifest.rotated(path, "redis", DAY) == f"{WHOLE}redis: 2026-11-21\n"


def test_noting_the_day_that_is_there_already_changes_nothing(path: Path) -> None:
    path.write_text(WHOLE)
    assert manifest.rotated(path, "api-key", date(2026, 1, 31)) == WHOLE


@pytest.mark.parametrize(
    "line",
    [
        'redis: "2026-01-31"',
        "redis : 2026-01-31",
        '"redis": 2026-01-31',
        "redis:\n  2026-01-31",
        "{redis: 2026-01-31}",
    ],
)
def test_a_date_that_has_no_line_of_its_own_is_refused_and_not_guessed(path: Path, line: str) -> None:
    path.write_text(f"{line}\n")
    assert manifest.load(path)["redis"].rotated_on == "2026-01-31"
    with pytest.raises(Refused, match="the day of redis cannot be noted; write each as"):
        manifest.rotated(path, "redis", DAY)


def test_a_day_is_not_noted_in_a_file_that_is_not_valid(path: Path) -> None:
    path.write_text("redis: soon\n")
    with pytest.raises(Refused, match="redis is 'soon'"):
        manifest.rotated(path, "redis", DAY)


@pytest.mark.parametrize("environment", ["prod", "staging", "lab"])
def test_every_environment_has_the_secrets_that_the_services_declare(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    rules = manifest.load(Path("group_data/secrets") / environment / "manifest.yaml")
    assert rules.keys() == services.secrets().keys()
    assert {f"postgres-{role}" for role in ("owner", "api", "app", "ro")} <= rules.keys()
    given = {"backup-s3-key-id", "alerts-smtp"}  # by the owner of a server, as long as they like
    assert all(rule.minimum_length >= 24 for name, rule in rules.items() if name not in given)
