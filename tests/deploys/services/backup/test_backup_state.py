"""What is wrong with backups, in sentences: their programs' last words, and how old these are."""

import json
from typing import Any

import pytest

from deploys.kit.facts import Answer
from deploys.services.backup import state as backup_state
from tests.deploys.known_host import KnownHost

NOW = "2026-11-21T12:00:00Z"
SHIP = {"at": "2026-11-21T11:59:55Z", "ok": True, "since": "2026-11-20T00:00:00Z", "reason": ""}
BACKUP = {"at": "2026-11-21T03:11:00Z", "ok": True, "label": "20261115-031000F_20261121-031000D", "reason": ""}
DUMPS = {"at": "2026-11-21T02:20:00Z", "ok": True, "reason": ""}
DRILL = {"at": "2026-11-21T04:41:00Z", "ok": True, "reason": ""}


def troubles(*lines: str) -> list[str]:
    host: Any = KnownHost(probes={"ship backup": Answer(0, list(lines))})
    host.name = "host"
    return backup_state.troubles(host, None, None)


def told(ship: object = SHIP, backup: object = BACKUP, dumps: object = DUMPS) -> list[str]:
    said = {"ship": ship, "backup": backup, "drill": DRILL, "dumps": dumps}
    return troubles(NOW, *(f"{name} {json.dumps(text)}" for name, text in said.items()))


def test_a_host_without_backups_and_one_whose_backups_are_well_have_nothing_to_tell() -> None:
    assert troubles() == []
    assert told() == []
    assert told(backup={**BACKUP, "label": "20261121-031000F"}) == []


@pytest.mark.parametrize(
    ("ship", "backup", "words"),
    [
        ({**SHIP, "ok": False, "reason": "403"}, BACKUP, "host: WAL: 403 (since 2026-11-20T00:00:00Z); docs/"),
        (
            {**SHIP, "at": "2026-11-21T11:57:00Z"},
            BACKUP,
            "the shipper has reported nothing since 2026-11-21T11:57:00Z",
        ),
        (None, BACKUP, "the shipper has reported nothing since its installation"),
        (SHIP, {**BACKUP, "label": "20261115-031000F_20261120-031000D"}, "the last one is 20261115-031000F_"),
        (SHIP, {**BACKUP, "label": "20261120-031000F"}, "the last one is 20261120-031000F"),
        (SHIP, {**BACKUP, "label": "", "ok": False, "reason": "no"}, "backup: no (2026-11-21T03:11:00Z; the last"),
        (SHIP, {**BACKUP, "label": "by hand"}, "the last one is none"),
        (SHIP, None, "the last one is none"),
        (SHIP, ["a list"], "the last one is none"),
        (SHIP, {"at": NOW}, "the last one is none"),
    ],
)
def test_what_is_not_well_is_told(ship: object, backup: object, words: str) -> None:
    (fault,) = told(ship, backup)
    assert words in fault


@pytest.mark.parametrize(
    ("dumps", "words"),
    [
        (
            {**DUMPS, "ok": False, "reason": "a full disk"},
            "host: dumps: a full disk (2026-11-21T02:20:00Z); docs/",
        ),
        (
            {**DUMPS, "at": "2026-11-19T02:20:00Z"},
            "dumps: old ones have not been removed since 2026-11-19T02:20:00Z",
        ),
        (None, "dumps: old ones have not been removed since its installation"),
    ],
)
def test_dumps_that_stay_too_long_are_a_fault(dumps: object, words: str) -> None:
    (fault,) = told(dumps=dumps)
    assert words in fault


def test_a_state_that_nobody_can_read_is_a_fault_of_its_program() -> None:
    assert len(troubles(NOW, "ship ", "backup {half", "drill []", "dumps 1")) == 4
