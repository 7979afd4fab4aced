"""The operator's command for secrets: takes a value by no argument, shows none, and ends with 1 when it must."""

import os
import select
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner, Result

from deploys.kit.plan import services
from deploys.kit.plan.service import Secret
from deploys.kit.secrets import Vault
from deploys.kit.secrets.__main__ import command
from tests.deploys.kit.secrets.conftest import DECLARED

MANIFEST = "api-key: 2026-01-31\n"
# The command in a process of its own, for the secrets of these tests.
COMMAND = """
from deploys.kit.plan import services
from deploys.kit.secrets.__main__ import command
from tests.deploys.kit.secrets.conftest import DECLARED
services.secrets = lambda: {secret.name: secret for secret in DECLARED}
command()
"""
GOOD = "Kx83hdkw9Lq2mZx8-größer-jdL0w9"


@pytest.fixture(autouse=True)
def _no_identity_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTORCADE_AGE_IDENTITY", raising=False)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    key = pyrage.x25519.Identity.generate()
    identity = tmp_path / "identity.txt"
    identity.write_text(f"{key}\n")
    identity.chmod(0o600)
    directory = tmp_path / "secrets"
    directory.mkdir()
    (directory / "manifest.yaml").write_text(MANIFEST)
    (directory / "recipients.txt").write_text(f"{key.to_public()}\n")
    return Vault(directory, identity)


def call(vault: Vault, action: str, *words: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(command, [action, "--directory", str(vault.directory), "prod", *words], input=stdin)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("end", ["\n", ""])
def test_set_reads_standard_input_without_the_line_break_at_its_end(vault: Vault, end: str) -> None:
    done = call(vault, "set", "redis", stdin=GOOD + end)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        f"{vault.file('redis')} is written; commit it with {vault.manifest}, then run:\n\n"
        "    .venv/bin/pyinfra inventories/prod.py deploys/plat_08b.py deploys/plat_08c.py\n\n"
    )
    assert vault.reveal("redis") == GOOD
    assert vault.rule("redis").rotated_on == today()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("changeme", "is a placeholder"),
        ("Kx83hdkw9Lq2mZx8", "has 16 characters; the minimum is 24"),
        (f"{GOOD}\n\n", "contains a line break or another unprintable character"),
        (f"{GOOD}\r\n", "contains a line break or another unprintable character"),
        (GOOD.encode("latin-1"), "is not UTF-8"),
    ],
)
def test_set_refuses_a_value_that_no_page_would_take(vault: Vault, value: str | bytes, fault: str) -> None:
    done = call(vault, "set", "redis", stdin=value)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"the new redis: {fault}; give another value; nothing was changed\n"
    assert not vault.file("redis").exists()
    assert vault.manifest.read_text() == MANIFEST


def test_set_takes_no_value_as_an_argument(vault: Vault) -> None:
    done = call(vault, "set", "redis", GOOD)
    assert done.exit_code == 2
    assert not vault.file("redis").exists()


def at_a_terminal(vault: Vault, *answers: str) -> tuple[int, str]:
    """Exit status and everything shown, when each prompt of `set` is answered in turn."""
    ours, theirs = os.openpty()
    words = ["setsid", "--ctty", "--wait", sys.executable, "-c", COMMAND]
    words += ["set", "--directory", str(vault.directory), "prod", "redis"]
    program = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    for answer in answers:
        asked = shown.count(b": ")
        while shown.count(b": ") == asked:
            assert select.select([ours], [], [], 20)[0], shown.decode()
            shown += os.read(ours, 4096)
        os.write(ours, f"{answer}\n".encode())
    status = program.wait(timeout=20)
    while select.select([ours], [], [], 0)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # how a terminal says that nobody is at the other end
            break
    os.close(ours)
    return status, shown.decode()


@pytest.mark.skipif(not shutil.which("setsid"), reason="takes setsid, of util-linux, to make a terminal")
def test_at_a_terminal_set_asks_twice_and_echoes_nothing(vault: Vault) -> None:
    status, shown = at_a_terminal(vault, GOOD, GOOD)
    assert status == 0, shown
    assert shown.count("New value of redis: ") == 1
    assert GOOD not in shown
    assert vault.reveal("redis") == GOOD


@pytest.mark.skipif(not shutil.which("setsid"), reason="takes setsid, of util-linux, to make a terminal")
def test_nothing_is_asked_when_the_answer_could_not_be_kept(vault: Vault) -> None:
    vault.recipients.write_text("")
    status, shown = at_a_terminal(vault)
    assert status == 1
    assert "New value" not in shown
    assert "lists no recipient" in shown


def test_rotate_makes_another_value_each_time_and_shows_none(vault: Vault) -> None:
    shown, values = "", set()
    for _ in range(3):
        done = call(vault, "rotate", "api-key")
        assert done.exit_code == 0
        shown += done.output
        values.add(vault.reveal("api-key"))
    assert len(values) == 3
    assert [value for value in values if value in shown] == []
    assert vault.rule("api-key").rotated_on == today()
    assert vault.rule("redis").rotated_on == "never"


@pytest.mark.parametrize("action", ["set", "rotate"])
def test_a_secret_that_the_manifest_does_not_know_is_not_made(vault: Vault, action: str) -> None:
    done = call(vault, action, "postgres", stdin=GOOD)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"{vault.directory}: no service declares a secret 'postgres'; correct the name (redis, api-key), or the"
        " declaration in deploys/services\n"
    )


@pytest.mark.parametrize("action", ["set", "rotate"])
def test_without_recipients_nothing_is_made(vault: Vault, action: str) -> None:
    vault.recipients.write_text("# nobody yet\n")
    done = call(vault, action, "redis", stdin=GOOD)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{vault.recipients}: lists no recipient; write each operator's")
    assert vault.manifest.read_text() == MANIFEST


def test_list_shows_everything_but_the_values_and_needs_no_key(vault: Vault) -> None:
    call(vault, "set", "redis", stdin=GOOD)
    shutil.copy(vault.file("redis"), vault.file("old"))
    done = call(vault, "list")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "NAME     PRESENT  ROTATED ON  CONSUMERS",
        f"redis    yes      {today()}  PLAT_08C, PLAT_04A, PLAT_08B",
        "api-key  no       2026-01-31  PLAT_04, LEADGEN_06",
        "old      yes                  declared by no service",
    ]


def check(vault: Vault) -> Result:
    return call(vault, "check", "--identity", str(vault.identity))


def test_what_another_command_makes_is_not_replaced_by_random_words(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Secret("redis", 24, ("LEADGEN_06",), made_by="leadgen keys new")
    monkeypatch.setattr(services, "secrets", lambda: {"redis": made})
    vault.manifest.write_text("# days\n")
    done = call(vault, "rotate", "redis")
    assert done.exit_code == 1
    assert done.stderr == ("redis: is made by `leadgen keys new`, not at random; make one and `set` it\n")
    assert not vault.file("redis").exists()
    assert call(vault, "set", "redis", stdin=GOOD).exit_code == 0
    assert vault.rule("redis").made_by == "leadgen keys new"


def test_check_is_green_when_every_secret_can_be_used(vault: Vault) -> None:
    call(vault, "rotate", "redis")
    call(vault, "rotate", "api-key")
    done = check(vault)
    assert (done.exit_code, done.output) == (0, f"{vault.directory}: 2 secrets, all usable\n")


def test_check_tells_every_fault_at_once_and_ends_with_one(vault: Vault) -> None:
    vault.file("redis").write_bytes(pyrage.encrypt(b"todo", vault.readers(), armored=True))
    vault.file("old").write_bytes(b"")
    vault.recipients.write_text("")
    done = check(vault)
    assert (done.exit_code, done.stdout) == (1, "")
    assert [line.partition(";")[0] for line in done.stderr.splitlines()] == [
        f"{vault.file('redis')}: is a placeholder",
        f"{vault.file('api-key')}: no such file",
        f"{vault.file('old')}: no service declares it",
        f"{vault.recipients}: lists no recipient",
    ]


def test_an_optional_secret_is_not_missed_but_must_be_usable_where_it_is(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = (*DECLARED, Secret("token", 8, ("PLAT_09",), optional=True))
    monkeypatch.setattr(services, "secrets", lambda: {secret.name: secret for secret in declared})
    call(vault, "rotate", "redis")
    call(vault, "rotate", "api-key")
    assert check(vault).output == f"{vault.directory}: 2 secrets, all usable\n"
    assert "token    no, optional  never" in call(vault, "list").stdout
    vault.file("token").write_bytes(pyrage.encrypt(b"todo", vault.readers(), armored=True))
    assert "is a placeholder" in check(vault).stderr
    call(vault, "rotate", "token")
    assert check(vault).output == f"{vault.directory}: 3 secrets, all usable\n"


def test_check_is_red_when_only_the_recipients_are_wrong(vault: Vault) -> None:
    call(vault, "rotate", "redis")
    call(vault, "rotate", "api-key")
    vault.recipients.unlink()
    assert check(vault).exit_code == 1


def test_the_identity_may_come_from_the_environment(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    call(vault, "rotate", "redis")
    call(vault, "rotate", "api-key")
    assert call(vault, "check").exit_code == 1
    monkeypatch.setenv("MOTORCADE_AGE_IDENTITY", str(vault.identity))
    assert call(vault, "check").exit_code == 0


def test_an_environment_that_does_not_exist_is_a_wrong_call() -> None:
    assert CliRunner().invoke(command, ["list", "production"]).exit_code == 2
    done = CliRunner().invoke(command, ["list", "prod"])
    assert (done.exit_code, done.stdout.split()[0]) == (0, "NAME")


def test_the_documented_command_starts(vault: Vault) -> None:
    vault.manifest.write_text("# in another process, of the secrets that services declare\n")
    words = ["-m", "deploys.kit.secrets", "list", "--directory", str(vault.directory), "prod"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("NAME")
