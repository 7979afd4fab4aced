"""The operator's hand: dead intakes are listed, shown, replayed and discarded, on record."""

import json
import os
import pwd
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from leadgen.cli import leadgen
from leadgen.domain.backoff import MAX_ATTEMPTS
from leadgen.store import dead_jobs, queue
from leadgen.store.connection import connect
from tests.conftest import Database
from tests.integration.outbox import PAYLOAD, Outbox, lead_with

BAD = lead_with(headcount="ten")
REASON = "22P02 InvalidTextRepresentation"

Run = Callable[..., Result]


@pytest.fixture
def run(outbox: Outbox) -> Run:
    """Run `leadgen jobs …`, without a terminal unless requested."""

    def run(*arguments: str, **environ: str) -> Result:
        return CliRunner(env={"LEADGEN_DATABASE_URL": outbox.url} | environ).invoke(leadgen, ["jobs", *arguments])

    return run


def kill(outbox: Outbox, count: int = 1) -> list[UUID]:
    """Intakes that failed every attempt."""
    accepted = outbox.accept(*[BAD] * count)
    outbox.owner.execute("UPDATE app.intake_queue SET attempts = %s, available_at = now()", [MAX_ATTEMPTS - 1])
    assert queue.drain_with_suspects(outbox.app).buried == count
    return accepted


def audit(outbox: Outbox) -> list[tuple[object, ...]]:
    return outbox.owner.execute(
        "SELECT actor, action, intake_id, reason FROM app.job_audit ORDER BY audit_id"
    ).fetchall()


def login() -> str:
    try:
        return os.getlogin()
    except OSError:
        return pwd.getpwuid(os.getuid()).pw_name


def test_the_list_names_the_dead_and_those_that_will_be_tried_again(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    (resting,) = outbox.accept(BAD)
    outbox.accept(lead_with())
    queue.drain_with_suspects(outbox.app)
    lines = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert [[*line[:4], line[5]] for line in lines] == [
        [str(dead), "wordpress", "dead", "8", REASON],
        [str(resting), "wordpress", "retrying", "1", REASON],
    ]


def test_discarded_ones_are_listed_on_demand(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    dead_jobs.discard(outbox.app, dead, actor="ann", reason="spam")
    assert run("list").stdout == ""
    assert f"{dead}\twordpress\tdiscarded\t8\t" in run("list", "--all").stdout


def test_a_list_that_is_cut_says_so(outbox: Outbox, run: Run) -> None:
    kill(outbox, count=201)
    result = run("list")
    assert len(result.stdout.splitlines()) == 200
    assert result.stderr == "only the oldest 200 are shown\n"


def test_on_a_terminal_the_list_has_headings(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    output = run("list", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="200").stdout
    assert "attempts" in output.splitlines()[0]
    assert str(dead) in output
    assert "\t" not in output


def test_show_shows_the_state_of_an_intake_without_personal_data(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    output = run("show", str(dead)).stdout
    assert "state\tdead\n" in output
    assert "failed attempts\t8\n" in output
    assert f"last error\t{REASON}\n" in output
    assert "Ann" not in output
    assert "Austin" not in output


def test_show_prints_the_payload_on_demand(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    output = run("show", str(dead), "--payload").stdout
    assert json.loads(output[output.index("{") :]) == PAYLOAD


@pytest.mark.parametrize("state", ["queued", "retrying", "done", "dead", "discarded"])
def test_show_knows_every_state(outbox: Outbox, run: Run, state: str) -> None:
    assert f"state\t{state}\n" in run("show", str(make(outbox, state))).stdout


def test_a_replayed_job_has_all_its_attempts_again_and_wakes_the_sweeper(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    with connect(outbox.url, "tests") as sweeper:
        queue.listen(sweeper)
        result = run("replay", str(dead), "--reason", "the column is wider now")
        assert (result.exit_code, result.stdout) == (0, "1 replayed\n")
        assert queue.wait_for_ring(sweeper, seconds=2)
    assert outbox.dead() == []
    assert outbox.attempts() == {dead: (0, None)}
    assert audit(outbox) == [(login(), "replay", dead, "the column is wider now")]


def test_a_replayed_job_becomes_a_lead_once_its_cause_is_gone(outbox: Outbox, run: Run) -> None:
    outbox.owner.execute("ALTER TABLE app.leads ADD CONSTRAINT nobody CHECK (false) NOT VALID")
    (dead,) = outbox.accept(lead_with())
    outbox.owner.execute("UPDATE app.intake_queue SET attempts = 7")
    queue.drain_with_suspects(outbox.app)
    assert outbox.dead() == [dead]
    outbox.owner.execute("ALTER TABLE app.leads DROP CONSTRAINT nobody")
    run("replay", str(dead), "--reason", "fixed")
    assert queue.drain_batch(outbox.app) == 1
    assert outbox.leads() == [dead]
    output = run("show", str(dead)).stdout
    assert "state\tdone\n" in output
    assert f"\t{login()}\treplay\tfixed\n" in output


def test_a_discarded_job_keeps_its_row_and_never_comes_back(outbox: Outbox, run: Run) -> None:
    (dead,) = kill(outbox)
    assert run("discard", str(dead), "--reason", "spam").stdout == "1 discarded\n"
    assert outbox.dead() == [dead]
    assert outbox.queued() == []
    assert audit(outbox) == [(login(), "discard", dead, "spam")]


@pytest.mark.parametrize(("command", "left"), [("replay", []), ("discard", ["discarded"] * 3)])
def test_all_of_the_dead_are_dealt_with_at_once(outbox: Outbox, run: Run, command: str, left: list[str]) -> None:
    dead = kill(outbox, count=3)
    assert run(command, "--all", "--reason", "fixed").stdout == f"3 {command}ed\n"
    assert [job.state for job in dead_jobs.list_failed(outbox.app, discarded=True, most=9)] == left
    assert [intake_id for _, _, intake_id, _ in audit(outbox)] == dead
    assert run(command, "--all", "--reason", "again").stdout == f"0 {command}ed\n"


@pytest.mark.parametrize("command", ["replay", "discard"])
@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("queued", "it is queued, not dead; it will become a lead on its own; watch it with `leadgen jobs show`"),
        ("retrying", "it is retrying, not dead; it will be retried on its own; watch it with `leadgen jobs show`"),
        ("done", "it is done, not dead; nothing is left to do: the lead is in app.leads"),
        (
            "discarded",
            "it is discarded, not dead; nothing is left to do; `leadgen jobs show` says who discarded it and why",
        ),
    ],
)
def test_only_the_dead_can_be_dealt_with(outbox: Outbox, run: Run, command: str, state: str, said: str) -> None:
    intake_id = make(outbox, state)
    before = audit(outbox)
    result = run(command, str(intake_id), "--reason", "why not")
    assert (result.exit_code, result.stderr) == (1, f"job {intake_id}: {said}\n")
    assert audit(outbox) == before


@pytest.mark.parametrize("arguments", [["show"], ["replay", "--reason", "x"], ["discard", "--reason", "x"]])
def test_an_unknown_id_is_an_error(run: Run, arguments: list[str]) -> None:
    unknown = uuid4()
    result = run(*arguments, str(unknown))
    assert (result.exit_code, result.stderr) == (
        1,
        f"job {unknown}: no intake has this id; see `leadgen jobs list`\n",
    )


def test_one_wrong_id_among_several_changes_nothing(outbox: Outbox, run: Run) -> None:
    dead = kill(outbox, count=2)
    assert run("replay", *map(str, dead), str(uuid4()), "--reason", "x").exit_code == 1
    assert outbox.dead() == dead
    assert audit(outbox) == []


@pytest.mark.parametrize("command", ["replay", "discard"])
def test_a_reason_is_required(outbox: Outbox, run: Run, command: str) -> None:
    (dead,) = kill(outbox)
    result = run(command, str(dead))
    assert result.exit_code == 2
    assert "--reason" in result.stderr
    assert run(command, str(dead), "--reason", " ").exit_code == 2
    assert outbox.dead() == [dead]


@pytest.mark.parametrize("arguments", [[], ["--all", str(uuid4())]])
def test_either_ids_or_all_have_to_be_named(run: Run, arguments: list[str]) -> None:
    result = run("discard", *arguments, "--reason", "x")
    assert result.exit_code == 2
    assert "give one or more intake ids, or --all for every dead one; not both" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", str(uuid4())], ["replay", "--all", "--reason", "x"]],
    ids=lambda words: words[0],
)
def test_a_database_without_this_releases_schema_is_reported_in_our_own_message(
    bare_database: Database, run: Run, arguments: list[str]
) -> None:
    result = run(*arguments, LEADGEN_DATABASE_URL=bare_database.app_url)
    assert result.exit_code == 1
    assert "`leadgen migrate --dry-run`" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_migration_without_the_owners_url_is_refused_in_our_words() -> None:
    result = CliRunner(env={"LEADGEN_OWNER_DATABASE_URL": None}).invoke(leadgen, ["migrate", "--dry-run"])
    assert result.exit_code == 1
    assert "LEADGEN_OWNER_DATABASE_URL is not set" in result.stderr


def test_the_audit_cannot_be_changed_by_the_application(outbox: Outbox, run: Run) -> None:
    kill(outbox)
    run("discard", "--all", "--reason", "spam")
    before = audit(outbox)
    for statement in ("UPDATE app.job_audit SET actor = 'x'", "DELETE FROM app.job_audit"):
        with pytest.raises(Exception, match="permission denied"):
            outbox.app.execute(statement)
    assert audit(outbox) == before


def make(outbox: Outbox, state: str) -> UUID:
    """An intake in this state."""
    if state in {"dead", "discarded"}:
        (intake_id,) = kill(outbox)
        if state == "discarded":
            dead_jobs.discard(outbox.app, intake_id, actor="ann", reason="spam")
        return intake_id
    (intake_id,) = outbox.accept(BAD if state == "retrying" else lead_with())
    if state != "queued":
        queue.drain_with_suspects(outbox.app)
    return intake_id
