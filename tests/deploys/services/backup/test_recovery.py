"""RESTORE's operation: a moment has a zone, and what was live has a way back on record before it is moved."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from deploys.services.backup import recovery
from tests.deploys.known_host import KnownHost, Page

AT = "2026-11-21T18:30:00Z"
ASIDE = "/srv/motorcade/backups/run/RESTORE"


def restore(page: Page, aside: str) -> list[str]:
    operation: Any = recovery._restore  # noqa: SLF001 - its verbs only hand over to it
    return [
        str(command) for command in KnownHost().run(operation, page=page, words="restore live x ''", aside=aside)
    ]


@pytest.mark.parametrize("given", ["2026-11-21T18:30:00Z", "2026-11-21 18:30:00.5+01:00"])
def test_a_moment_with_a_zone_is_handed_on_as_it_was_given(given: str) -> None:
    assert recovery.moment(given) == given


def test_no_moment_is_the_end() -> None:
    assert recovery.moment(None) == ""


@pytest.mark.parametrize("given", ["", "2026-11-21T18:30:00", "yesterday", "18:30Z; reboot"])
def test_any_other_moment_is_refused(given: str) -> None:
    with pytest.raises(Refused, match="not a time with a zone; write it as 2026"):
        recovery.moment(given)


def test_into_scratch_there_is_nothing_to_go_back_to() -> None:
    page = Page()
    (command,) = restore(page, "")
    assert command.endswith(" restore live x ''")
    assert page.backups == []


def test_the_program_gets_what_replays_erasures(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(recovery, "_restore", lambda **words: asked.append(words["words"]))
    monkeypatch.setattr(recovery, "_replayed", lambda **_: None)
    page: Any = Page()
    erasures = recovery.Erasures("localhost/motorcade-leadgen:x", "20261127_01_personal_data")
    recovery.into_scratch(page, AT, erasures)
    recovery.over_live(page, AT, erasures)
    recovery.over_live(page, AT, None)
    environ = "INTAKE_IMAGE=localhost/motorcade-leadgen:x ERASURES_VERSION=20261127_01_personal_data"
    assert asked == [
        f"env {environ} {recovery.PROGRAM} scratch {AT}",
        f"env {environ} {recovery.PROGRAM} live {ASIDE.replace('RESTORE', 'PLAT_99')} {AT}",
        f"env ERASURES=unread {recovery.PROGRAM} live {ASIDE.replace('RESTORE', 'PLAT_99')} {AT}",
    ]


def test_what_was_replayed_is_on_record() -> None:
    page = Page()
    host = KnownHost(probes={"restore.json": Answer(0, ["2 tombstones replayed"])})
    assert host.run(recovery._replayed, page=page) == []  # noqa: SLF001 - its verbs only hand over to it
    assert page.notes == [("PLAT_99", {"erasures": "2 tombstones replayed"})]


def test_over_the_live_one_the_way_back_is_on_record_even_if_it_fails() -> None:
    page = Page()
    page.locked = True
    with pytest.raises(PermissionError):
        restore(page, ASIDE)
    assert page.backups == []
    page.locked = False
    restore(page, ASIDE)
    ((path, line),) = page.backups
    assert path == f"{ASIDE}/17"
    assert line.startswith(f"sudo sh -c '[ -d {ASIDE}/17 ] && systemctl stop motorcade-postgres && mv ")


def test_the_way_back_touches_nothing_when_nothing_was_moved(tmp_path: Path) -> None:
    page = Page()
    restore(page, str(tmp_path))
    ((_, line),) = page.backups
    (tmp_path / "systemctl").write_text('#!/bin/sh\ntouch "$(dirname "$0")/called"\n', encoding="ascii")
    (tmp_path / "systemctl").chmod(0o755)
    words = ["sh", "-c", line.removeprefix("sudo ")]
    done = subprocess.run(words, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=10, check=False)
    assert (done.returncode, (tmp_path / "called").exists()) == (1, False)
