"""The dump before a change, under dash and bash: only encrypted on the disk, and nothing if a part of it fails."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path("deploys/services/postgres/templates/backup-database.sh")
# Podman as the script meets it: a database with one person, a cipher that turns letters, one program that fails.
PODMAN = r"""#!/bin/sh
fails() { [ "$(cat "$WORLD/fails" 2>/dev/null)" = "$1" ]; }
case $* in
    *--entrypoint\ age*)
        echo "$*" >"$WORLD/age"
        fails age && exit 1
        echo age-encryption.org/v1
        tr a-z n-za-m
        ;;
    *pg_dumpall*) echo 'CREATE ROLE canary;' ;;
    *pg_dump*)
        echo 'PGDMP canary'
        fails pg_dump && exit 1
        echo 'end'
        ;;
    *--data-only*)
        cat >"$WORLD/pipe"
        fails count && exit 1
        printf 'COPY app.people (name) FROM stdin;\ncanary\n\\.\n'
        grep -q end "$WORLD/pipe" && echo '-- PostgreSQL database dump complete'
        rm "$WORLD/pipe"
        ;;
    *pg_restore*) cat >/dev/null; ! fails pg_restore ;;
    *'SELECT count'*) if fails rows; then echo 2; else echo 1; fi ;;
esac
"""


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def dump(shell: str, world: Path, *recipients: str, fails: str = "") -> subprocess.CompletedProcess[str]:
    for name, text in {"podman": PODMAN, "chown": "#!/bin/sh\n"}.items():
        (world / name).write_text(text)
        (world / name).chmod(0o755)
    (world / "fails").write_text(fails)
    return subprocess.run(
        [shell, "-s", str(world / "backups/run/PLAT_99"), "localhost/motorcade-postgres:17", *recipients],
        input=SCRIPT.read_text(),
        env={"PATH": f"{world}:/usr/bin:/bin", "WORLD": str(world), "TMPDIR": str(world)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_dump_is_kept_encrypted_for_every_recipient_with_its_roles(shell: str, tmp_path: Path) -> None:
    done = dump(shell, tmp_path, "age1one", "ssh-ed25519 AAAA two")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "backups/run/PLAT_99"
    assert {file.name for file in folder.parent.glob("*")} == {"PLAT_99"}
    assert {file.name for file in folder.iterdir()} == {"counts", "motorcade.age"}
    sealed = (folder / "motorcade.age").read_text()
    turned = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
    assert sealed.removeprefix("age-encryption.org/v1\n").translate(turned) == (
        "-- motorcade: roles\nCREATE ROLE canary;\n-- motorcade: database\nPGDMP canary\nend\n"
    )
    assert "canary" not in sealed
    assert (folder / "counts").read_text() == "app.people 1\n"
    assert (
        (tmp_path / "age")
        .read_text()
        .endswith(" --encrypt --recipient age1one --recipient ssh-ed25519 AAAA two\n")
    )


@pytest.mark.parametrize(
    ("fails", "why"),
    [
        ("age", "age could not encrypt the dump"),
        ("pg_dump", "pg_dump failed"),
        ("pg_restore", "the dump could not be restored into a scratch container"),
        ("count", "the dump is not complete"),
        ("rows", "app.people: 1 rows in the dump, 2 restored"),
    ],
)
def test_nothing_is_left_if_a_part_of_it_fails(shell: str, tmp_path: Path, fails: str, why: str) -> None:
    done = dump(shell, tmp_path, "age1one", fails=fails)
    assert (done.returncode, done.stdout) == (1, f"{why}\n")
    assert list((tmp_path / "backups/run").iterdir()) == []
    assert [file.name for file in tmp_path.glob("tmp.*")] == []


def test_without_a_recipient_nothing_is_dumped(shell: str, tmp_path: Path) -> None:
    done = dump(shell, tmp_path)
    assert (done.returncode, done.stdout) == (1, "a dump needs a recipient who can decrypt it\n")
    assert not (tmp_path / "backups").exists()
