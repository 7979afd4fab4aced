"""Every acknowledged lead survives its server, and each guard is needed: without it leads are lost again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest

from leadgen.dev.postgres import DATABASE
from leadgen.errors import CommitsFail, DatabaseUnavailable
from leadgen.store import connection, intake_writer, intakes, watchdog, writer_session
from leadgen.store.intake_writer import FLUSHERS, PATIENCE_SECONDS, IntakeWriter
from tests.chaos.failover import Kind, run
from tests.chaos.pair import Model, Pair, make_model
from tests.conftest import Database
from tests.integration.freezing import frozen
from tests.integration.service import BUSY_SECONDS, until
from tests.integration.stopwatch import took
from tests.integration.store.writing import make_intake, make_writer

NEXT_SECONDS = 10  # until the writer has let go of a frozen server, and has found the other


@pytest.fixture(scope="session")
def model(server_directory: Path) -> Model:
    return make_model(server_directory / "failover")


@pytest.fixture
def pair(model: Model, server_directory: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    with Pair(server_directory / f"pair-{request.node.name}", model) as pair:
        yield pair


@pytest.mark.parametrize(("kind", "seed"), [("cancel", 1), ("terminate", 2), ("crash", 1)])
def test_every_acknowledged_lead_is_on_the_survivor(model: Model, kind: Kind, seed: int) -> None:
    outcome = run(model, kind, seed)
    assert outcome.lost == 0
    assert outcome.took_over


def test_without_heeding_warnings_leads_are_lost(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (connection, intake_writer, writer_session):
        monkeypatch.setattr(module, "unavailable_when_warned", nullcontext)
    assert run(model, "cancel", 1, doubters=0).lost > 0


@pytest.mark.parametrize("kind", ["terminate", "crash"])
def test_without_a_write_before_a_repeated_answer_leads_are_lost(
    model: Model, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(intakes, "confirm", lambda _: None)
    assert run(model, kind, 1, doubters=0).lost > 0


def test_without_a_write_after_a_look_up_leads_are_lost(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_by_key(connection: connection.Connection, client_id: str, key: str) -> intakes.Receipt | None:
        found = intakes._find_by_keys(connection, [(client_id, key)])  # noqa: SLF001 - the look-up without its guard
        return found.get((client_id, key))

    monkeypatch.setattr(intakes, "find_by_key", find_by_key)
    assert run(model, "terminate", 2, doubters=3).lost > 0


@pytest.mark.parametrize("copies", [1, 2])
def test_only_the_setting_of_two_copies_helps_when_the_list_of_standbys_is_emptied(
    model: Model, copies: int
) -> None:
    assert (run(model, "names emptied", 1, copies=copies).lost == 0) == (copies == 2)


def wait_in_vain(writer: IntakeWriter) -> None:
    """As many requests as it takes to keep every flusher waiting, and some more."""
    with ThreadPoolExecutor(4 * FLUSHERS) as pool:
        for attempt in [pool.submit(writer.write, make_intake()) for _ in range(4 * FLUSHERS)]:
            with pytest.raises(DatabaseUnavailable):
                attempt.result(60)


@pytest.mark.alone("the writer waits five seconds, from the first request on")
def test_an_outage_is_answered_at_once_and_ends_by_itself(pair: Pair) -> None:
    with make_writer(pair.api_url) as writer, ThreadPoolExecutor(1) as pool:
        writer.write(make_intake("before"))
        pair.stream.blackhole()
        assert took(lambda: wait_in_vain(writer)) < PATIENCE_SECONDS + BUSY_SECONDS
        probe = pool.submit(writer.write, make_intake("probe"))
        time.sleep(0.2)  # it has to get as far as the writer
        for _ in range(20):
            with pytest.raises(CommitsFail):
                writer.write(make_intake())
        assert not probe.done()
        assert pair.count_waiting() <= FLUSHERS
        pair.stream.pass_all()
        assert probe.result(PATIENCE_SECONDS)
        assert not writer.write(make_intake("after")).replayed


@pytest.mark.alone("the writer waits five seconds, from the first request on")
@pytest.mark.parametrize("cancels", [True, False])
def test_what_waits_for_a_standby_does_not_fill_the_server_with_sessions(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, *, cancels: bool
) -> None:
    """A session that is only broken, and not canceled, stays on the server: the control."""
    if not cancels:
        monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda *_, **__: None)
    with make_writer(pair.api_url) as writer:
        writer.write(make_intake("before"))
        pair.stream.blackhole()
        for _ in range(2):
            wait_in_vain(writer)
        assert (pair.count_waiting() <= FLUSHERS) == cancels
        pair.stream.pass_all()


@pytest.mark.alone("the writer waits five seconds, from the first request on")
@pytest.mark.parametrize("bounded", [True, False])
def test_a_frozen_leader_is_left_for_the_next(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, *, bounded: bool
) -> None:
    """A flusher without a watchdog waits for a frozen server as long as that lasts: the control."""
    monkeypatch.setattr(intake_writer, "FLUSHERS", 1)  # the one that is connected to the leader
    if not bounded:
        monkeypatch.setattr(watchdog, "CANCEL_SECONDS", 3_600)
    with make_writer(pair.several_hosts_url) as writer:
        writer.write(make_intake("before"))
        with frozen(Database(DATABASE, pair.leader)):
            assert took(lambda: wait_in_vain(writer)) < PATIENCE_SECONDS + BUSY_SECONDS
            pair.promote()
            assert until(lambda: answers(writer), NEXT_SECONDS) == bounded


def answers(writer: IntakeWriter) -> bool:
    try:
        return not writer.write(make_intake()).replayed
    except DatabaseUnavailable:
        return False
