"""A restore replays erasures, under dash and bash: from whichever source has them, and never live without them."""

import subprocess
from pathlib import Path

import pytest

from deploys.kit.operations.hostfiles import render

AT = "2026-11-21T18:30:00Z"
TIME = "choose 1795285800"
# What it shares with a drill, without a store: each step is logged, and `broken` is a store that cannot be read.
RECOVERY = r"""
log() { echo "$*" >>"$WORLD/log"; }
say() { echo "$1"; }
make_place() { mkdir -p "$place/17"; notes=$(mktemp -d); }
drop_place() { rm -rf "$place" "${notes-}"; }
choose() {
    log choose "$@"
    label=20261121-031000F
    echo '[{"db":[{"id":1,"system-id":7001,"v":17}]}]' >"$notes/said"
}
fetch_backup() { log fetch; [ ! -e "$WORLD/broken" ] || { rm "$WORLD/broken"; fail 'backup x: damaged'; }; }
fetch_wal() { :; }
start() { log start; }
until_true() { :; }
hash_tables() { echo 'app.leads|1|2'; }
psql() {
    case $* in
        *to_regclass*) cat "$WORLD/copy-has" ;;
        *'ALTER ROLE'*) log "sql $*" ;;
    esac
}
"""
PODMAN = r"""#!/bin/sh
case $* in
    *exec*system_identifier*) cat "$WORLD/live-id" 2>/dev/null || exit 1 ;;
    *exec*to_regclass*) cat "$WORLD/live-has" ;;
    *run*localhost/motorcade-leadgen:x*)
        case $* in *volumes/postgres/socket:*) where=live ;; *scratch/restore/socket:*) where=copy ;; esac
        echo "$where ${*#*motorcade-leadgen:x }" >>"$WORLD/log"
        case $* in
            *list*) cat "$WORLD/tombstones" ;;
            *replay*)
                [ ! -e "$WORLD/other-key" ] || { echo '1 tombstones are of another key' >&2; exit 1; }
                echo '1 tombstones replayed'
                ;;
        esac
        ;;
esac
"""
ENVIRON = {"INTAKE_IMAGE": "localhost/motorcade-leadgen:x", "ERASURES_VERSION": "20261127_01_personal_data"}
REPLAYED = ["copy erasures load /run/erasures", "copy erasures replay"]


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A host whose live database is the one of the backups, and has one tombstone."""
    files = {"live-id": "7001", "live-has": "t", "copy-has": "t", "tombstones": '{"digest": "ab"}'}
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    for folder in ("programs", "srv/scratch", "srv/volumes/postgres/17"):
        (tmp_path / folder).mkdir(parents=True)
    programs = {
        "podman": PODMAN,
        "systemctl": "#!/bin/sh\n",
        "chown": "#!/bin/sh\n",
        "programs/state": "#!/bin/sh\n",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "programs/recovery").write_text(RECOVERY)
    return tmp_path


def restore(shell: str, world: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    text = render(
        "backup/restore", page="PLAT_99", programs=world / "programs", spool=world / "spool", user=10001, major=17
    )
    script = world / "restore"
    script.write_text(text.replace("/srv/motorcade", str(world / "srv")))
    return subprocess.run(
        [shell, str(script), *words],
        env={"PATH": f"{world}:/usr/bin:/bin", "WORLD": str(world), "TMPDIR": str(world), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def log(world: Path) -> list[str]:
    return (world / "log").read_text().splitlines()


def moved(world: Path) -> bool:
    """Whether the live database was replaced."""
    return (world / "aside/17").exists()


def live(shell: str, world: Path, at: str = AT, **environ: str) -> subprocess.CompletedProcess[str]:
    return restore(shell, world, "live", str(world / "aside"), at, **environ)


def test_the_live_database_says_who_was_erased_before_anything_is_restored(shell: str, world: Path) -> None:
    done = live(shell, world, **ENVIRON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert log(world) == [TIME, "live erasures list --json", "fetch", "start", *REPLAYED]
    assert "erasures: 1 in the live database\n" in done.stdout
    assert "1 tombstones replayed\n" in done.stdout
    assert moved(world)


@pytest.mark.parametrize("why", ["it does not answer", "it is another one"])
def test_without_the_live_one_they_are_read_from_the_newest_state_in_the_store(
    shell: str, world: Path, why: str
) -> None:
    if why == "it is another one":
        (world / "live-id").write_text("70011\n")
    else:
        (world / "live-id").unlink()
    done = live(shell, world, **ENVIRON)
    assert done.returncode == 0, done.stdout + done.stderr
    newest = ["choose", "fetch", "start", "copy erasures list --json"]
    assert log(world) == [TIME, *newest, TIME, "fetch", "start", *REPLAYED]
    assert "erasures: 1 in the newest state of the store\n" in done.stdout


def test_the_newest_state_has_its_own_and_is_restored_once(shell: str, world: Path) -> None:
    (world / "live-id").unlink()
    done = live(shell, world, "", **ENVIRON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert log(world) == ["choose", "fetch", "start", "copy erasures replay"]


@pytest.mark.parametrize("fault", ["store", "no image", "other key"])
def test_nothing_goes_live_without_them(shell: str, world: Path, fault: str) -> None:
    environ = dict(ENVIRON)
    if fault == "store":
        (world / "live-id").unlink()
        (world / "broken").touch()
        why = "ERASURES ARE NOT REPLAYED: backup x: damaged"
    elif fault == "no image":
        del environ["INTAKE_IMAGE"]
        why = "ERASURES ARE NOT REPLAYED: they were not asked for"
    else:
        (world / "other-key").touch()
        why = "erasures could not be replayed"
    done = live(shell, world, **environ)
    assert (done.returncode, moved(world)) == (1, False)
    assert why in done.stdout
    assert "the live database was not touched" in done.stdout


def test_an_operator_can_accept_it_and_it_is_said_aloud(shell: str, world: Path) -> None:
    done = live(shell, world, ERASURES="unread")
    assert (done.returncode, moved(world)) == (0, True)
    assert "ERASURES ARE NOT REPLAYED" in done.stdout
    assert log(world) == [TIME, "fetch", "start"]


def test_a_copy_beside_is_made_without_them_but_not_in_silence(shell: str, world: Path) -> None:
    (world / "live-id").unlink()
    (world / "broken").touch()
    done = restore(shell, world, "scratch", AT, **ENVIRON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERASURES ARE NOT REPLAYED: backup x: damaged" in done.stdout
    assert "copy erasures replay" not in log(world)


def test_a_database_from_before_the_table_gets_it_as_the_owner_would_make_it(shell: str, world: Path) -> None:
    (world / "copy-has").write_text("f\n")
    assert live(shell, world, **ENVIRON).returncode == 0
    assert log(world)[-5:] == [
        "sql --command=ALTER ROLE postgres SET role = motorcade_owner",
        "copy migrate --to 20261127_01_personal_data",
        "sql --command=RESET ROLE; ALTER ROLE postgres RESET role",
        *REPLAYED,
    ]


def test_where_nobody_was_ever_erased_nothing_is_replayed(shell: str, world: Path) -> None:
    for name in ("live-has", "copy-has"):
        (world / name).write_text("f\n")
    assert live(shell, world, **ENVIRON).returncode == 0
    assert log(world) == [TIME, "fetch", "start"]
