"""Which backup is restored: the newest that is whole, or that had ended by then; else a reason in words."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.operations.hostfiles import render


def backup(
    label: str, stop: int, *, error: bool = False, annotation: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return {
        "label": label,
        "error": error,
        "timestamp": {"start": stop - 5, "stop": stop},
        "archive": {"start": "000000010000000000000003", "stop": "000000010000000000000004"},
        "database": {"id": 2, "repo-key": 1},
        "info": {"size": 4096},
        **({"annotation": annotation} if annotation else {}),
    }


NOTES = {"restore-point": "motorcade-20261120-031000F", "manifest": "ab12"}
FULL = backup("20261120-031000F", 1000, annotation=NOTES)
DIFF = backup("20261120-031000F_20261121-031000D", 2000)
BROKEN = backup("20261120-031000F_20261122-031000D", 3000, error=True)
ARCHIVES = [{"id": "16-1", "database": {"id": 1}}, {"id": "17-2", "database": {"id": 2}}]


def said(*backups: dict[str, Any], code: int = 0, message: str = "ok") -> str:
    status = {"code": code, "message": message}
    return json.dumps([{"archive": ARCHIVES, "backup": backups, "repo": [{"status": status}]}])


def choose(folder: Path, info: str | bytes, *before: str) -> tuple[int, str]:
    program = folder / "choose-backup"
    program.write_text(render("backup/choose-backup", page="PLAT_99"), encoding="utf-8")
    given = info if isinstance(info, bytes) else info.encode()
    done = subprocess.run(["perl", program, *before], input=given, capture_output=True, timeout=10, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout.decode("ascii").strip()


def test_the_newest_whole_one_is_chosen_with_its_archive(tmp_path: Path) -> None:
    wanted = f"{DIFF['label']} 2000 000000010000000000000003 000000010000000000000004 4096 17-2 - -"
    assert choose(tmp_path, said(FULL, DIFF, BROKEN)) == (0, wanted)


def test_for_a_moment_it_is_the_newest_that_had_ended_before(tmp_path: Path) -> None:
    code, told = choose(tmp_path, said(FULL, DIFF), "2000")
    assert (code, told.split()[0], told.split()[-2:]) == (0, FULL["label"], ["motorcade-20261120-031000F", "ab12"])


@pytest.mark.parametrize(
    ("info", "before", "reason"),
    [
        (said(), [], "the store has no backup"),
        (said(BROKEN), [], "the store has no backup"),
        (said(FULL), ["1000"], "the store has no backup from before that time"),
        (
            said(code=99, message="[ProtocolError] HTTP request failed with 403 (Forbidden):\n*** Path/Query ***"),
            [],
            "[ProtocolError] HTTP request failed with 403 (Forbidden):",
        ),
        (
            said(code=99, message="[CryptoError] unable to load info file"),
            [],
            "wrong key: the passphrase does not decrypt the list of backups",
        ),
    ],
)
def test_without_one_the_reason_is_told(tmp_path: Path, info: str, before: list[str], reason: str) -> None:
    assert choose(tmp_path, info, *before) == (1, reason)


def test_a_wrong_key_whose_garbage_is_no_text_is_called_by_its_name(tmp_path: Path) -> None:
    garbage = (
        said(code=99, message="[FormatError] found at line 1: @").encode().replace(b"@", b"\xe5@\x9c\x01\x08")
    )
    assert choose(tmp_path, garbage) == (1, "wrong key: the passphrase does not decrypt the list of backups")
