"""A submission of an erased person: its retries store nothing, and what the person sends anew is a lead."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from leadgen.cli import leadgen
from leadgen.store.connection import connect
from leadgen.store.queue import drain_batch
from tests.conftest import Database
from tests.integration.api.caller import Caller
from tests.integration.lead import LEAD


def erase(database: Database, tmp_path: Path) -> None:
    (tmp_path / "erasure-key").write_text("k" * 32)
    environ = {
        "LEADGEN_DATABASE_URL": database.app_url,
        "LEADGEN_ERASURE_KEY_FILE": str(tmp_path / "erasure-key"),
    }
    done = CliRunner(env=environ).invoke(leadgen, ["person", "erase", "--email", "ann@example.com", "--yes"])
    assert done.exit_code == 0, done.output


def rows(database: Database) -> list[tuple[Any, ...]]:
    """All that is stored of any submission."""
    with psycopg.connect(database.superuser_url) as superuser:
        return superuser.execute(
            "SELECT idempotency_key, payload, email, lead, answer, x_request_id FROM app.intake_jobs"
            " UNION ALL SELECT idempotency_key, payload, email, NULL, NULL, x_request_id FROM app.leads"
        ).fetchall()


@pytest.mark.parametrize("drained", [False, True])
@pytest.mark.parametrize("change", ["same", "other body", "not served"])
def test_a_retry_of_an_erased_submission_is_refused_and_stores_nothing(
    database: Database,
    caller: Caller,
    tmp_path: Path,
    drained: bool,  # noqa: FBT001 - pytest hands it over by name
    change: str,
) -> None:
    location = caller.post(key="k").headers["Location"]
    if drained:
        with connect(database.app_url, "tests") as connection:
            drain_batch(connection)
    erase(database, tmp_path)
    lead = deepcopy(LEAD)
    if change == "other body":
        lead["request"]["notes"] = "other"
    elif change == "not served":
        lead["request"]["location"]["state"] = "CA"
    answer = caller.post(lead, key="k")
    assert answer.status_code == 410
    assert (answer.get_json()["type"], answer.get_json()["code"]) == ("/lead/problems/submission-erased", "GONE")
    assert "Retry-After" not in answer.headers
    assert rows(database) == [("k", {}, None, None, None, None)]
    assert caller.get(location).status_code == 404


def test_a_new_submission_of_the_person_is_a_lead(database: Database, caller: Caller, tmp_path: Path) -> None:
    caller.post(key="k")
    erase(database, tmp_path)
    assert caller.post(key="new").status_code == 202
    with connect(database.app_url, "tests") as connection:
        assert drain_batch(connection) == 1


def test_the_same_key_of_another_client_is_its_own(
    database: Database, caller: Caller, partner: Caller, tmp_path: Path
) -> None:
    caller.post(key="k")
    erase(database, tmp_path)
    assert partner.post(key="k").status_code == 202
    assert partner.post(key="k").headers["Idempotency-Replayed"] == "true"


def test_the_release_before_refuses_such_a_retry_too(database: Database, caller: Caller, tmp_path: Path) -> None:
    """It knows no erase, but compares fingerprints: none is empty."""
    caller.post(key="k")
    erase(database, tmp_path)
    with psycopg.connect(database.superuser_url) as superuser:
        superuser.execute("UPDATE app.intake_jobs SET erased_at = NULL")
    answer = caller.post(key="k")
    assert answer.get_json()["type"] == "/lead/problems/idempotency-key-reused"
