"""Negative controls: systems that lose or duplicate leads, and a false ledger. The checker must find each."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.chaos import disk
from tests.chaos.campaign import Campaign, Orders, Outcome, new_folder
from tests.chaos.disk import Disk
from tests.chaos.faults import KINDS
from tests.chaos.leads import digest, make_lead
from tests.chaos.ledger import Attempt, Ledger
from tests.chaos.stack import Stack

REQUESTS: Final = 200  # at least; faults take their time
RATE: Final = 40.0  # what a busy machine can handle: one that never becomes steady proves nothing

_FORGED: Final = Attempt(
    number=-1,
    key="nobody-sent-this",
    body=digest(make_lead("nobody-sent-this")),
    wanted="accept",
    sent=0.0,
    answered=0.1,
    status=202,
    intake_id="019bd8a2-0000-7000-8000-000000000000",
)

# The services force synchronous_commit on for their sessions, and check it: only a transaction can undo that.
_HURRY: Final = (
    """
    CREATE FUNCTION app.hurry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        RETURN NULL;
    END $$
    """,
    # Else one process or the other would have them on disk 0.2 s later, and a cut could meet a moment in which
    # nothing is missing.
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "ALTER SYSTEM SET bgwriter_lru_maxpages = 0",
    "SELECT pg_reload_conf()",
    """
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'app' LOOP
            EXECUTE format('CREATE TRIGGER hurry BEFORE INSERT OR UPDATE OR DELETE ON app.%I'
                           ' FOR EACH STATEMENT EXECUTE FUNCTION app.hurry()', name);
        END LOOP;
    END $$
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    why: str
    finds: Literal["lost", "duplicated"]
    """What the checker has to find."""
    faults: tuple[str, ...] = ()
    times: int = 0
    statements: tuple[str, ...] = ()
    """What spoils the database."""
    module: str = "leadgen"
    """Whose commands run."""
    forged: tuple[Attempt, ...] = ()
    """What the ledger has before the campaign begins."""

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be done here."""
        return disk.obstacle() if self._needs_disk else None

    def run(self, seed: int, report: Callable[[str], None]) -> Outcome:
        """A campaign on the spoilt system, whose folder stays if the checker did not find what it should."""
        folder = new_folder()
        outcome = self._run(folder, seed, report)
        if self.is_met(outcome):
            shutil.rmtree(folder)
        return outcome

    def is_met(self, outcome: Outcome) -> bool:
        return bool(getattr(outcome.reckoning, self.finds)) and outcome.red

    def _run(self, folder: Path, seed: int, report: Callable[[str], None]) -> Outcome:
        orders = Orders(seed=seed, requests=REQUESTS, faults=self.times, minutes=0, rate=RATE, only=self.faults)
        with closing(Ledger(folder / "ledger")) as ledger:
            for attempt in self.forged:
                ledger.send(attempt)
                ledger.answer(attempt)
        with ExitStack() as last:
            own_disk = last.enter_context(Disk(folder / "disk")) if self._needs_disk else None
            stack = last.enter_context(Stack(folder / "system", disk=own_disk, module=self.module))
            with closing(stack.superuser()) as connection:
                for statement in self.statements:
                    connection.execute(statement)
            return Campaign(stack, folder, orders, report).run()

    @property
    def _needs_disk(self) -> bool:
        return any(KINDS[name].needs_disk for name in self.faults)


CONTROLS: Final = {
    "commits-not-awaited": Control(
        why="commits are reported before they are on disk, as with synchronous_commit=off, and the power is cut",
        finds="lost",
        faults=("power cut",),
        times=5,
        statements=_HURRY,
    ),
    "forged-acknowledgement": Control(
        why="the ledger contains one acknowledgement that the service never gave",
        finds="lost",
        forged=(_FORGED,),
    ),
    "keys-not-unique": Control(
        why="a key can be stored twice, and replies to commits are lost",
        finds="duplicated",
        faults=("commit done and reply lost",),
        times=2,
        statements=("ALTER TABLE app.intake_jobs DROP CONSTRAINT intake_jobs_client_id_idempotency_key_key",),
    ),
    "careless-drain": Control(
        why="worker and sweeper insert without ON CONFLICT, commit, then clear the queue; both are killed",
        finds="duplicated",
        faults=("worker and sweeper killed",),
        times=5,
        statements=("ALTER TABLE app.leads DROP CONSTRAINT leads_intake_id_key",),
        module="tests.chaos.careless",
    ),
}
