"""What PLAT_08 lays on a host: each program and unit, the units hardened, with the roads they need."""

import configparser
from typing import Any

import pytest

from deploys.kit.operations import hostfiles, package, units
from deploys.services.backup import pgbackrest
from tests.deploys.known_host import GREEN, RED, KnownHost, Page

VALUES = {
    "page": "PLAT_99",
    "programs": pgbackrest.PROGRAMS,
    "state": pgbackrest.STATE,
    "spool": pgbackrest.SPOOL,
    "store": "s3.example.com/backups/x",
    "pgbackrest": pgbackrest.PGBACKREST,
    "psql": pgbackrest.PSQL,
    "full_days": 7,
    "retention_days": 28,
    "time": "03:10",
    "spool_cap_bytes": 1,
    "ship_seconds": 3,
    "user": 10001,
    "major": 17,
    "drill_time": "04:40",
    "drill_seconds": pgbackrest.DRILL_SECONDS,
    "stale_hours": 26,
    "rpo_limit_seconds": 120,
    "backups": "/srv/motorcade/backups",
    "dumps_days": 28,
    "dumps_kept": 5,
}


def unit(name: str) -> Any:  # noqa: ANN401 - a section of configparser's
    content = next(file.content for file in pgbackrest.units(**VALUES) if file.path.endswith(f"/motorcade-{name}"))
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # systemd minds capitals
    parser.read_string(content)
    return parser


def test_each_program_of_the_folder_is_delivered_and_may_be_run() -> None:
    made = {file.path.rpartition("/")[2]: file for file in pgbackrest.programs(**VALUES)}
    folder = {
        file.name
        for file in (hostfiles.REPOSITORY / "deploys/services/backup/templates").iterdir()
        if file.suffix == "" and file.read_text(encoding="utf-8").startswith("#!")
    }
    assert folder - set(made) == set()
    assert {file.mode for file in made.values()} == {"755"}


@pytest.mark.parametrize(
    ("name", "volume", "network"),
    [
        ("wal-ship.service", False, True),
        ("backup.service", True, True),
        ("backup-stanza.service", True, True),
        ("heartbeat.service", True, False),
    ],
)
def test_a_unit_has_the_roads_that_it_needs_and_no_right(name: str, *, volume: bool, network: bool) -> None:
    service = unit(name)["Service"]
    assert service["ExecStart"].rpartition("/")[2] in {"wal-ship", "backup", "stanza", "heartbeat"}
    assert ("BindReadOnlyPaths" in service) == volume
    assert ("PrivateNetwork" not in service) == network
    assert (service["User"], service["CapabilityBoundingSet"]) == ("motorcade-postgres", "")


def test_the_boot_wants_what_runs_by_itself_and_nothing_else() -> None:
    wanted = {file.path.rpartition("/")[2] for file in pgbackrest.units(**VALUES) if "[Install]" in file.content}
    assert wanted == {pgbackrest.SHIP, *pgbackrest.WATCHED}


def test_a_program_in_its_pinned_version_is_left_alone_and_another_is_replaced() -> None:
    words: dict[str, Any] = {"page": Page(), "program": "a", "version": "1.2", "probe": "a --version"}
    assert KnownHost(probes={"a --version": GREEN}).run(package._program, **words) == []  # noqa: SLF001 - under test
    (command,) = KnownHost(probes={"a --version": RED}).run(package._program, **words)  # noqa: SLF001 - under test
    assert "a=1.2*" in str(command)


def test_a_service_is_started_anew_when_what_it_reads_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(units, "_ensure", lambda **words: asked.update(words))
    page: Any = Page()
    units.running(page, "a.service", reads="/a /b")
    assert (
        'find /a /b -newerct "$(systemctl show --timestamp=us -P ActiveEnterTimestamp a.service)"'
        in asked["probe"]
    )
    assert asked["commands"] == ["systemctl restart a.service"]
    units.running(page, "a.timer")
    assert asked["commands"] == ["systemctl start a.timer"]
    assert asked["probe"] == "systemctl is-active --quiet a.timer"
