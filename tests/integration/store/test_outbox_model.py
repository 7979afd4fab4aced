"""The write path as a state machine: senders, drainers, the sweeper, the operator and the clock in any order.

After every step PostgreSQL has to hold exactly what the model says. EVERY=1 tries many more orders of events.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from datetime import datetime, timedelta
from typing import cast

import psycopg
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from leadgen.cli import leadgen
from leadgen.domain.backoff import FIRST_DELAY_SECONDS, MAX_ATTEMPTS
from leadgen.errors import DatabaseUnavailable
from leadgen.jobs import sweeper
from leadgen.jobs.drain import run_once
from leadgen.jobs.sweeper import Sweeper
from leadgen.store import connection as connections
from leadgen.store import dead_jobs, intakes, queue
from leadgen.store.connection import Connection, connect
from leadgen.store.queue import Drained
from tests.conftest import Database
from tests.integration.outbox import Outbox
from tests.integration.service import until
from tests.integration.store.fake_clock import FakeClock
from tests.integration.store.outbox_model import BODIES, NEVER, PICKY, Kept, Model, Sent, identity, make_intake
from tests.integration.store.together import together

EXAMPLES, STEPS = (200, 60) if os.environ.get("EVERY") else (20, 40)
BATCH = st.lists(
    st.tuples(
        st.sampled_from(["wordpress", "partner"]),
        st.sampled_from(["a", "b", "c", None]),
        st.integers(0, len(BODIES) - 1),
    ),
    min_size=1,
    max_size=4,
)
MOST = st.integers(1, 4)
WHICH = st.integers(0, 99)
ACTION = st.sampled_from(["replay", "discard"])
FATE = st.sampled_from(["committed", "reply lost", "rolled back"])
SECONDS = st.sampled_from([1.9, 2.1, 60.0, -1.0, -3600.0])

TABLES = "app.intake_jobs, app.intake_queue, app.leads, app.consents, app.dead_jobs, app.job_audit"
LEAD_OF_SOMEBODY_ELSE = """
    INSERT INTO app.leads (
        intake_id, full_name, email, state, payload
    ) VALUES (%s, '', '', '', '{}')
"""


def drain_all(connection: Connection, most: int) -> Drained:
    """Drain in batches of this size until every remaining row is locked by another session."""
    total = batch = queue.drain_with_suspects(connection, most)
    while batch.taken == most:
        batch = queue.drain_with_suspects(connection, most)
        total += batch
    return total


def pick(kept: Sequence[Kept], which: int) -> Kept:
    return kept[which % len(kept)]


def waits(machine: "Machine") -> bool:
    return bool(machine.model.where("queued", "retrying"))


class Machine(RuleBasedStateMachine):
    """The real write path beside the model of it."""

    def __init__(self, outbox: Outbox, clock: FakeClock, worker: connections.Database) -> None:
        super().__init__()
        self.outbox = outbox
        self.clock = clock
        self.worker = worker
        self.model = Model()
        outbox.owner.execute(f"TRUNCATE {TABLES}")
        self.set_clock(self.model.now)
        self.set_picky(picky=False)

    # Senders.

    @rule(sent=BATCH, fate=FATE)
    def accept(self, sent: list[Sent], fate: str) -> None:
        """A writer that was rolled back, or does not know what became of its commit, sends the same again."""
        batch = [make_intake(one) for one in sent]
        if fate != "committed":
            with self.outbox.app.transaction(force_rollback=fate == "rolled back"):
                intakes.accept(self.outbox.app, batch)
        self.model.store(sent, batch, intakes.accept(self.outbox.app, batch))

    @rule(sent=BATCH)
    def accept_twice_at_once(self, sent: list[Sent]) -> None:
        """A writer sends a batch again while its first try is still running: both get the same receipts."""
        batch = [make_intake(one) for one in sent]
        with connect(self.outbox.url, "tests") as other:
            receipts, again = together(
                lambda: intakes.accept(self.outbox.app, batch), lambda: intakes.accept(other, batch)
            )
        assert receipts == again
        self.model.store(sent, batch, receipts)

    # Time and faults.

    @precondition(waits)
    @rule(seconds=SECONDS)
    def pass_time(self, seconds: float) -> None:
        """Also backwards, as a clock does that is set right."""
        self.set_clock(self.model.now + timedelta(seconds=seconds))

    @precondition(lambda self: self.model.at_rest())
    @rule(early=st.booleans())
    def wait_for_the_next_attempt(self, early: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        due = min(kept.due for kept in self.model.at_rest())
        self.set_clock(due - timedelta(microseconds=early))

    @precondition(lambda self: self.model.at_rest())
    @rule(times=st.integers(1, MAX_ATTEMPTS))
    def wait_and_try_again_and_again(self, times: int) -> None:
        for _ in range(times):
            self.set_clock(max([self.model.now, *(kept.due for kept in self.model.at_rest())]))
            self.work()

    @precondition(waits)
    @rule()
    def fix_everything_and_wait_for_the_end(self) -> None:
        """Nothing stays in the queue forever."""
        self.set_picky(picky=False)
        self.work()
        self.wait_and_try_again_and_again(MAX_ATTEMPTS)
        assert not waits(self)

    @precondition(lambda self: self.model.kept)
    @rule(picky=st.booleans())
    def set_picky(self, picky: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Whether the schema refuses what it could take."""
        self.model.refused = NEVER | PICKY if picky else NEVER
        self.outbox.owner.execute("ALTER TABLE app.leads DROP CONSTRAINT IF EXISTS picky")
        if picky:
            check = "CHECK (notes <> 'picky') NOT VALID"
            self.outbox.owner.execute(f"ALTER TABLE app.leads ADD CONSTRAINT picky {check}")

    # Drainers.

    @rule()
    def work(self) -> None:
        """The worker's job."""
        assert run_once(self.worker) == self.drained(self.model.claimable())

    @precondition(waits)
    @rule(most=MOST)
    def drain_one_batch(self, most: int) -> None:
        assert queue.drain_with_suspects(self.outbox.app, most) == self.drained(self.model.claimable()[:most])

    @rule(sent=BATCH, seconds=SECONDS, rung=st.booleans())
    def sweep(self, sent: list[Sent], seconds: float, rung: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Time passes after a batch; a sweeper that has just started polls once, and then perhaps hears a ring."""
        self.accept(sent, "committed")
        self.pass_time(seconds)
        with closing(Sweeper(self.outbox.url, "test")) as started, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweeper, "POLL_SECONDS", 0.0)
            overdue = self.model.claimable() if self.model.is_overdue() else []
            assert started.run_once() == self.drained(overdue).leads
            if rung:
                queue.notify(self.outbox.app)
                patch.setattr(sweeper, "POLL_SECONDS", 5.0)
                assert started.run_once() == self.drained(self.model.claimable()).leads

    @rule(sent=BATCH, most=MOST)
    def drain_twice_at_once(self, sent: list[Sent], most: int) -> None:
        self.accept(sent, "committed")
        with connect(self.outbox.url, "tests") as other:
            shares = together(lambda: drain_all(self.outbox.app, most), lambda: drain_all(other, most))
        expected = self.drained(self.model.claimable())
        assert sum(share.leads for share in shares) == expected.leads
        assert sorted(str(each) for share in shares for each in share.failed) == sorted(map(str, expected.failed))

    @rule(sent=BATCH, most=MOST, dies=st.booleans())
    def drain_beside_an_open_batch(self, sent: list[Sent], most: int, dies: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """One drainer has its batch, not committed yet, while another drains all the rest."""
        self.accept(sent, "committed")
        held = self.model.claimable()[:most]
        bad = any(kept.body in self.model.refused for kept in held)
        fails = pytest.raises(psycopg.Error) if bad else nullcontext()
        with connect(self.outbox.url, "tests") as other, fails, other.transaction(force_rollback=dies):
            assert queue.drain_batch(other, most) == len(held)
            assert run_once(self.worker) == self.drained(self.model.claimable()[most:])
        if not dies and not bad:
            self.drained(held)

    @rule(sent=BATCH, which=WHICH)
    def kill_a_drainer_in_mid_batch(self, sent: list[Sent], which: int) -> None:
        """It has taken its rows from the queue, and waits for a session that is inserting one of its leads."""
        self.accept(sent, "committed")
        if not (good := [kept for kept in self.model.claimable() if kept.body not in self.model.refused]):
            return
        owner = self.outbox.owner
        with (
            closing(connect(self.outbox.url, "victim")) as victim,
            ThreadPoolExecutor(1) as pool,
            owner.transaction(force_rollback=True),
        ):
            owner.execute(LEAD_OF_SOMEBODY_ELSE, [pick(good, which).id])
            draining = pool.submit(queue.drain_with_suspects, victim)
            assert until(lambda: self.outbox.waits_for_lock("victim"))
            self.outbox.app.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
            assert isinstance(draining.exception(10), DatabaseUnavailable)

    # The operator.

    @precondition(lambda self: self.model.kept)
    @rule(which=WHICH, action=ACTION)
    def settle_one_whatever_its_state(self, which: int, action: str) -> None:
        """Its sender and the operator look at it first."""
        kept = pick(self.model.kept, which)
        submission = intakes.get_submission(self.outbox.app, kept.id, kept.intake.client_id)
        assert submission
        assert submission.status == {"retrying": "queued", "discarded": "dead"}.get(kept.state, kept.state)
        job = dead_jobs.get_job(self.outbox.app, kept.id)
        assert job.state == kept.state
        assert kept.state == "done" or (job.attempts, job.reason) == (kept.attempts, kept.reason)
        answer = self.jobs(action, str(kept.id))
        if kept.state == "dead":
            assert answer.exit_code == 0, answer.output
            self.model.settle(action, kept)
        else:
            assert f"it is {kept.state}, not dead" in answer.output
            assert answer.exit_code == 1

    @precondition(lambda self: self.model.where("dead"))
    @rule(action=ACTION)
    def settle_all_the_dead(self, action: str) -> None:
        answer = self.jobs(action, "--all")
        assert answer.exit_code == 0, answer.output
        for kept in self.model.where("dead"):
            self.model.settle(action, kept)

    # What holds after every step.

    @invariant()
    def every_intake_is_in_one_place_and_no_other(self) -> None:
        waiting, dead = self.model.where("queued", "retrying"), self.model.where("dead")
        settled = self.model.where("dead", "discarded")
        assert self.rows("intake_id, attempts, last_error FROM app.intake_queue") == [
            (kept.id, kept.attempts, kept.reason) for kept in waiting
        ]
        assert self.rows("intake_id, attempts, reason, discarded_at IS NULL FROM app.dead_jobs") == [
            (kept.id, MAX_ATTEMPTS, kept.reason, kept.state == "dead") for kept in settled
        ]
        backlog = queue.backlog(self.outbox.app)
        assert (backlog.waiting, backlog.dead) == (len(waiting), len(dead))

    @invariant()
    def what_is_done_is_one_lead_with_its_consents(self) -> None:
        done = self.model.where("done")
        assert self.rows("intake_id, payload FROM app.leads") == [(kept.id, BODIES[kept.body]) for kept in done]
        assert self.rows("intake_id, position FROM app.consents") == [
            (kept.id, number) for kept in done for number in range(1, len(BODIES[kept.body]["consent"]) + 1)
        ]

    @invariant()
    def what_was_accepted_and_done_by_hand_stands(self) -> None:
        query = "intake_id, x_request_id, client_id, idempotency_key, lead, answer FROM app.intake_jobs"
        assert self.rows(query) == [
            (
                kept.id,
                kept.intake.request_id,
                kept.intake.client_id,
                kept.intake.idempotency_key,
                BODIES[kept.body],
                kept.intake.answer,
            )
            for kept in sorted(self.model.kept, key=lambda kept: kept.id)
        ]
        assert self.rows("action, intake_id FROM app.job_audit", order="audit_id") == self.model.deeds

    @invariant()
    def a_key_is_answered_as_it_was_the_first_time(self) -> None:
        keyed = [kept for kept in self.model.by_key.values() if kept.intake.idempotency_key]
        again = [make_intake((*kept.intake.key, kept.body)) for kept in keyed]
        receipts = intakes.accept(self.outbox.app, again) if again else {}
        for kept, intake in zip(keyed, again, strict=True):
            assert receipts[intake.intake_id].replayed
            assert identity(receipts[intake.intake_id]) == identity(kept.intake)

    # What the rules are made of.

    def set_clock(self, now: datetime) -> None:
        self.model.now = now
        self.clock.set(now)

    def drained(self, batch: Sequence[Kept]) -> Drained:
        """What the model says that became of a batch which was drained.

        Each that failed rests for a time between two bounds, from now on for the longer one: what hypothesis tries
        next must not depend on chance.
        """
        drained = self.model.drain(batch)
        rest = (
            "UPDATE app.intake_queue SET available_at = %s WHERE intake_id = %s AND available_at BETWEEN %s AND %s"
        )
        for kept in batch:
            if kept.state == "retrying":
                longest = timedelta(seconds=FIRST_DELAY_SECONDS * 2 ** (kept.attempts - 1))
                kept.due = self.model.now + longest
                bounds = (kept.due - longest / 2, kept.due)
                assert self.outbox.owner.execute(rest, [kept.due, kept.id, *bounds]).rowcount == 1
        return drained

    def jobs(self, *words: str) -> Result:
        """`leadgen jobs`."""
        runner = CliRunner(env={"LEADGEN_DATABASE_URL": self.outbox.url})
        return runner.invoke(leadgen, ["jobs", *words, "--reason", "a test", "--by", "ann"])

    def rows(self, query: str, order: str = "intake_id") -> list[tuple[object, ...]]:
        return self.outbox.owner.execute(f"SELECT {query} ORDER BY {order}, 2").fetchall()


def test_every_intake_is_in_one_place_and_becomes_one_lead_in_whatever_order_things_happen(
    database: Database,
) -> None:
    with (
        closing(FakeClock(database)) as clock,
        Outbox(database) as outbox,
        closing(connections.Database(database.app_url, "worker", most=1)) as worker,
    ):
        run_state_machine_as_test(
            cast("type[Machine]", lambda: Machine(outbox, clock, worker)),  # it only calls it
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
