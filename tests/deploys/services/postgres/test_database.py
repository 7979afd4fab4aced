"""What pages ask of PostgreSQL: verifiers as libpq makes them, and probes that tell their answer."""

import base64
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq
from pyinfra.api.facts import FactBase
from typing_extensions import override

from deploys.kit.facts import Answer
from deploys.services.postgres import database
from tests.deploys.known_host import RED, KnownHost, Page

PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)


def parts(verifier: str) -> tuple[str, bytes, bytes, bytes]:
    """iterations, salt, StoredKey, ServerKey of `SCRAM-SHA-256$4096:salt$stored:server`."""
    _, rounds, keys = verifier.split("$")
    iterations, _, salt = rounds.partition(":")
    stored, _, server = keys.partition(":")
    first, second, third = (base64.b64decode(part, validate=True) for part in (salt, stored, server))
    return iterations, first, second, third


@given(PASSWORDS)
def test_a_verifier_has_the_form_that_libpq_gives_it(password: str) -> None:
    ours = parts(database.scram_verifier(password, "salt"))
    with_libpq = pq.PGconn.connect_start(b"host=/nowhere").encrypt_password(
        password.encode(), b"motorcade_app", b"scram-sha-256"
    )
    theirs = parts(with_libpq.decode())
    assert ours[0] == theirs[0]
    assert [len(part) for part in ours[1:]] == [len(part) for part in theirs[1:]]


@given(PASSWORDS)
def test_the_keys_are_those_that_libpq_derives_from_the_same_salt(password: str) -> None:
    with_libpq = pq.PGconn.connect_start(b"host=/nowhere").encrypt_password(
        password.encode(), b"motorcade_app", b"scram-sha-256"
    )
    salt = parts(with_libpq.decode())[1]
    assert database.verifier_with(password, salt) == with_libpq.decode()


def test_another_password_or_another_salt_gives_another_verifier() -> None:
    verifiers = {database.scram_verifier(password, salt) for password in "ab" for salt in "xy"}
    assert len(verifiers) == 4


def test_the_same_password_and_salt_give_the_same_verifier_so_that_a_second_run_changes_nothing() -> None:
    assert database.scram_verifier("a", "x") == database.scram_verifier("a", "x")


def test_an_expectation_is_green_only_for_its_answer_and_prints_another() -> None:
    probe = database.expect("SELECT 1", "on").replace(database.psql("postgres"), "echo off; cat >/dev/null")
    ended = subprocess.run(["sh", "-c", probe], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "off\n")
    probe = database.expect("SELECT 1", "off").replace(database.psql("postgres"), "echo off; cat >/dev/null")
    assert subprocess.run(["sh", "-c", probe], check=False).returncode == 0


def test_facts_that_differ_are_told_by_side_and_a_password_only_by_whose_it_is() -> None:
    found = ["password motorcade_ro 5a5a", "role motorcade_ro login createdb", "role postgres login"]
    expected = ["password motorcade_ro 6b6b", "role motorcade_ro login", "role postgres login"]
    told = database.differences(found, expected)
    assert told == (
        " (found: password motorcade_ro, role motorcade_ro login createdb;"
        " expected: password motorcade_ro, role motorcade_ro login)"
    )
    assert database.differences(found, found) == ""


def remove_settings(written: Answer, used: Answer) -> list[str]:
    host = KnownHost(probes={" sed -n ": written, "pg_file_settings": used})
    done = host.run(database._settings_of_the_page, page=Page())  # noqa: SLF001 - the operation
    return [str(command) for command in done]


def test_without_a_setting_by_alter_system_nothing_is_done_whether_postgresql_answers_or_not() -> None:
    assert remove_settings(Answer(0, []), Answer(0, [])) == []
    assert remove_settings(RED, RED) == []


def test_a_setting_by_alter_system_is_removed_and_a_server_that_answers_uses_it_no_more() -> None:
    empties, reloads, restarts = remove_settings(Answer(0, ["work_mem"]), Answer(0, ["work_mem"]))
    assert "setpriv --reuid=10001" in empties
    assert "pg_reload_conf" in reloads
    assert "pending_restart" in restarts


def test_one_that_keeps_postgresql_from_starting_is_removed_before_it_starts() -> None:
    (empties,) = remove_settings(Answer(0, ["shared_buffers"]), RED)
    assert "postgresql.auto.conf" in empties


def test_one_that_is_still_in_use_although_its_file_is_empty_is_removed() -> None:
    assert len(remove_settings(Answer(0, []), Answer(0, ["shared_buffers"]))) == 3


class AskedHost(KnownHost):
    """One that keeps what it is asked."""

    def __init__(self, probes: Mapping[str, Answer]) -> None:
        super().__init__(probes=probes)
        self.asked: list[str] = []

    @override
    def get_fact(self, fact: type[FactBase[Any]], *arguments: object, **values: object) -> object:
        self.asked.append(str(arguments[0]))
        return super().get_fact(fact, *arguments, **values)


def test_the_names_of_written_settings_are_read_and_never_their_values(tmp_path: Path) -> None:
    host = AskedHost(probes={"": RED})
    host.run(database._settings_of_the_page, page=Page())  # noqa: SLF001 - the operation
    file = tmp_path / "postgresql.auto.conf"
    file.write_text("# by hand\nwork_mem = '8MB'\n  Primary_conninfo= 'password=x'\nmotorcade.a=1\n")
    command = host.asked[0].partition(" sed ")[2].replace(database.AUTO, str(file))
    done = subprocess.run(["sh", "-c", f"sed {command}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["work_mem", "Primary_conninfo", "motorcade.a"]
