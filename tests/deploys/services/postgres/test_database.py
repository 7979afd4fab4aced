"""What pages ask of PostgreSQL: verifiers as libpq makes them, and probes that tell their answer."""

import base64
import subprocess

from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from deploys.services.postgres import database

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
