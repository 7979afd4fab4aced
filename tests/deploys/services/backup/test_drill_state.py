"""What the last drill means for whoever looks at a host, and for whoever is about to change its database."""

import json
from typing import Any

import pytest
from pyinfra.context import ctx_host

from deploys.kit.facts import Answer
from deploys.kit.run.steps import Step, Steps
from deploys.services.backup import state as backup_state
from tests.deploys.known_host import KnownHost, Page

NOW = "2026-11-21T12:00:00Z"
PASSED = {"PLAT_08": Step("PLAT_08", passed="2026-11-01T00:00:00+00:00")}
FIGURES = {"label": "20261121-031000F", "rto_seconds": 5, "rpo_seconds": 12}
WELL = {"at": "2026-11-21T04:41:00Z", "ok": True, "reason": "", **FIGURES}
PROOF = "20261121-031000F was restored in 5 s; 12 s of data would have been lost (2026-11-21T04:41:00Z)"


def drilled(said: dict[str, Any] | None) -> str:
    return "" if said is None else json.dumps(said)


def troubles(said: dict[str, Any] | None) -> list[str]:
    """Of the drill; the other programs are well."""
    ship = {"at": NOW, "ok": True, "reason": ""}
    backup = {**ship, "label": "20261121-031000F"}
    lines = [
        NOW,
        f"ship {json.dumps(ship)}",
        f"backup {json.dumps(backup)}",
        f"drill {drilled(said)}",
        f"dumps {json.dumps(ship)}",
    ]
    host: Any = KnownHost(probes={"for each in ship": Answer(0, lines)})
    host.name = "host"
    return backup_state.troubles(host, None, None)


def noted(said: dict[str, Any] | None, steps: dict[str, Step]) -> list[Any]:
    """What goes on record."""
    text = drilled(said)
    answer = Answer(0, [NOW, text] if text else [NOW])
    host: Any = KnownHost({Steps: steps}, probes={"drill.json": answer})
    host.name = "host"
    page: Any = Page()
    with ctx_host.use(host):
        backup_state.warn(page)
    return [note for _, note in page.notes]


def warned(said: dict[str, Any] | None, steps: dict[str, Step]) -> list[object]:
    return [note["warning"] for note in noted(said, steps) if "warning" in note]


def test_a_green_drill_of_two_days_is_no_trouble_and_no_warning() -> None:
    for said in (WELL, {**WELL, "at": "2026-11-19T12:00:00Z"}):
        assert troubles(said) == []
        assert warned(said, PASSED) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "drill: none has passed since its installation"),
        ({**WELL, "at": "2026-11-19T11:59:59Z"}, "drill: none has passed since 2026-11-19T11:59:59Z"),
        ({**WELL, "ok": False, "reason": "wrong key: x"}, "drill: wrong key: x (2026-11-21T04:41:00Z)"),
    ],
)
def test_without_a_fresh_green_one_status_tells_and_pages_warn(said: dict[str, Any] | None, words: str) -> None:
    assert troubles(said) == [f"host: {words}; docs/services/backup.md"]
    assert warned(said, PASSED) == [words]


def test_before_backups_are_there_nobody_is_warned() -> None:
    assert noted(None, {}) == []
    assert noted(None, {"PLAT_08": Step("PLAT_08", red="run")}) == []


@pytest.mark.parametrize(
    ("said", "words"), [(WELL, PROOF), ({**WELL, "ok": False, "reason": "wrong key"}, ""), (None, "")]
)
def test_status_and_record_tell_what_a_green_drill_proved(said: dict[str, Any] | None, words: str) -> None:
    text = drilled(said)
    host: Any = KnownHost(probes={"drill.json": Answer(0, [NOW, text] if text else [NOW])})
    assert backup_state.proof(host) == words
    assert [note.get("drill", "") for note in noted(said, PASSED)] == [words]
