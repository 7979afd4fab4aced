"""Migrations: numbered without gaps, each with the runbook's version and a sentence on what it brings."""

import re
from collections.abc import Callable
from pathlib import PurePath

import pytest

NAME = re.compile(r"(\d{4})_(?:pre|post)_(\w+)\.sql")
HEAD = re.compile(r"-- version: (\d{8}_\d{2})_(\w+)\n-- [A-Z].*[.,:;\w]\n")


def faults(migrations: dict[str, str]) -> list[str]:
    """`migrations`: file name -> text, in order."""
    found: list[str] = []
    before = ""
    for number, (name, text) in enumerate(migrations.items(), start=1):
        named, head = NAME.fullmatch(name), HEAD.match(text)
        if not named or int(named[1]) != number:
            found.append(f"{name}: the name has to be {number:04}_<pre|post>_<slug>.sql")
        if not head:
            found.append(
                f"{name}: begin with `-- version: <yyyymmdd>_<nn>_<slug>`, then a sentence on what it brings"
            )
        elif named and named[2] != head[2]:
            found.append(f"{name}: the version ends with another slug, {head[2]}")
        elif head[1] <= before:
            found.append(f"{name}: the version {head[1]} is not later than {before}")
        before = head[1] if head else before
    return found


def test_every_migration_has_its_number_its_version_and_its_sentence(
    texts: Callable[[str], dict[str, str]],
) -> None:
    migrations = {PurePath(path).name: text for path, text in texts("leadgen/store/migrations/*.sql").items()}
    assert len(migrations) >= 3
    assert faults(migrations) == []


GOOD = {
    "0001_pre_leads.sql": "-- version: 20260126_01_leads\n-- The leads.\n",
    "0002_post_outbox.sql": "-- version: 20260126_02_outbox\n-- The outbox.\n",
}


def test_good_migrations_are_left_alone() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    "third",
    [
        {"0004_pre_gap.sql": "-- version: 20260127_01_gap\n-- A gap.\n"},
        {"0003_gap.sql": "-- version: 20260127_01_gap\n-- Neither pre nor post.\n"},
        {"0003_pre_gap.sql": "-- No version.\n"},
        {"0003_pre_gap.sql": "-- version: 20260127_01_gap\nCREATE TABLE without_a_sentence ();\n"},
        {"0003_pre_gap.sql": "-- version: 20260127_01_other\n-- Another slug.\n"},
        {"0003_pre_gap.sql": "-- version: 20260126_02_gap\n-- Not later than the one before.\n"},
    ],
)
def test_a_migration_against_the_rules_is_found(third: dict[str, str]) -> None:
    assert len(faults(GOOD | third)) == 1
