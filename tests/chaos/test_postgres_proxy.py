"""Cuts around a commit, on real connections: the stored rows, and the client's answer."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

from leadgen.domain.intake_id import uuid7
from leadgen.store.connection import Connection, connect
from leadgen.store.intakes import Intake, accept
from leadgen.store.writer_session import WriterSession
from tests.chaos.postgres_proxy import PostgresProxy
from tests.chaos.proxy import Filter
from tests.conftest import Database


@pytest.fixture
def proxy(database: Database) -> Iterator[PostgresProxy]:
    with PostgresProxy(database.server.port) as proxy:
        yield proxy


@pytest.fixture
def url(database: Database, proxy: PostgresProxy) -> str:
    return database.app_url.replace(f":{database.server.port}/", f":{proxy.port}/")


@pytest.fixture
def session(url: str) -> Iterator[WriterSession]:
    session = WriterSession(url)
    session.accept([make_intake("connected")])
    yield session
    session.close()


def make_intake(key: str) -> Intake:
    return Intake(
        intake_id=uuid7(),
        request_id=str(uuid7()),
        client_id="chaos",
        key_id=None,
        idempotency_key=key,
        fingerprint=bytes(32),
        fingerprint_version=1,
        payload=json.dumps({"contact": {"full_name": key * 200}}, separators=(",", ":")),
        lead="{}",
        email=None,
        phone_e164=None,
        received_at=datetime.now(UTC),
        answer="",
    )


def stored(database: Database) -> set[str]:
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute("SELECT idempotency_key FROM app.intake_jobs").fetchall()
    return {key for (key,) in rows}


def test_a_cut_reply_is_that_of_a_commit(database: Database, proxy: PostgresProxy, session: WriterSession) -> None:
    intake = make_intake("a")
    proxy.cut_replies(1)
    with pytest.raises(psycopg.OperationalError):
        session.accept([intake])
    assert (proxy.cuts, stored(database)) == (1, {"connected", "a"})
    assert session.accept([intake])[intake.intake_id].intake_id == intake.intake_id


def test_a_cut_request_never_reaches_the_server(
    database: Database, proxy: PostgresProxy, session: WriterSession
) -> None:
    proxy.cut_requests(1)
    with pytest.raises(psycopg.OperationalError):
        session.accept([make_intake("a")])
    assert (proxy.cuts, stored(database)) == (1, {"connected"})
    session.accept([make_intake("b")])
    assert stored(database) == {"connected", "b"}


def test_as_many_are_cut_as_was_said(database: Database, proxy: PostgresProxy, session: WriterSession) -> None:
    proxy.cut_replies(3)
    for number in range(3):
        with pytest.raises(psycopg.OperationalError):
            session.accept([make_intake(f"cut-{number}")])
    session.accept([make_intake("whole")])
    assert (proxy.cuts, len(stored(database))) == (3, 5)


def test_a_separate_commit_is_cut_and_not_the_insert_before_it(
    database: Database, proxy: PostgresProxy, url: str
) -> None:
    with connect(url, "api-writer") as connection:
        proxy.cut_replies(1)
        connection.execute("BEGIN")
        accept(connection, [make_intake("a")])
        assert (proxy.cuts, stored(database)) == (0, set())
        with pytest.raises(psycopg.OperationalError):
            connection.execute("COMMIT")
    assert (proxy.cuts, stored(database)) == (1, {"a"})


def test_other_statements_and_other_applications_are_left_alone(proxy: PostgresProxy, url: str) -> None:
    proxy.cut_replies(1)
    proxy.cut_requests(1)
    with connect(url, "api-writer") as writer, connect(url, "worker") as worker:
        ask(writer)
        accept(worker, [make_intake("a")])
        assert proxy.cuts == 0
        proxy.cut_requests(1, "leadgen-worker")
        with pytest.raises(psycopg.OperationalError):
            accept(worker, [make_intake("b")])
    assert proxy.cuts == 1


def test_a_reply_that_is_an_error_comes_through(proxy: PostgresProxy, session: WriterSession) -> None:
    """Nothing was committed, so no reply to a commit is there to be lost."""
    proxy.cut_replies(1)
    with pytest.raises(errors.InvalidTextRepresentation):
        session.accept([replace(make_intake("a"), payload='{"contact":')])
    assert proxy.cuts == 0
    proxy.cut_replies(0)
    session.accept([make_intake("b")])


def test_long_replies_and_messages_in_between_come_through_unchanged(proxy: PostgresProxy, url: str) -> None:
    with connect(url, "api-writer") as connection:
        proxy.cut_replies(1)
        row = connection.execute("SELECT repeat('x', 1000000)").fetchone()
        assert row == ("x" * 1_000_000,)


def ask(connection: Connection) -> None:
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_of_a_cut_reply_nothing_comes_through_in_whatever_pieces_it_came(proxy: PostgresProxy) -> None:
    ask, answer = proxy.filters()
    ask(message(b"", (196608).to_bytes(4) + b"application_name\0leadgen-api-writer\0\0"))
    ready = message(b"Z", b"I")
    assert through(answer, message(b"R", bytes(4)) + ready) == message(b"R", bytes(4)) + ready
    proxy.cut_replies(1)
    ask(message(b"B", b'{"contact":{}}'))
    rows = message(b"D", bytes(300))
    assert through(answer, rows + ready[:-1]) == b""
    with pytest.raises(ConnectionResetError):
        answer(ready[-1:])


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def through(answer: Filter, sent: bytes) -> bytes:
    return b"".join(answer(bytes([byte])) for byte in sent)
