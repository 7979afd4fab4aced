"""The checker: each rule finds what breaks it, on forged ledgers and rows; one that cannot fail proves nothing."""

from dataclasses import replace

import pytest

from tests.chaos.ledger import Attempt
from tests.chaos.reckoning import Rest, Stored, reckon

ACKNOWLEDGED = Attempt(1, "key-1", "body", "accept", 1.0, 1.5, 202, "id-1")
SILENT = replace(ACKNOWLEDGED, answered=None, status=None, intake_id=None)
ROW = Stored("id-1", "key-1", "body", leads=1, leads_alike=True, consents=2, consents_given=2)


def test_what_was_acknowledged_and_is_stored_once_is_in_order() -> None:
    reckoning = reckon([ACKNOWLEDGED, replace(ACKNOWLEDGED, number=2)], [ROW])
    assert reckoning.faults == []
    assert (reckoning.acknowledged, reckoning.stored) == (1, 1)


@pytest.mark.parametrize("status", [None, 409, 500, 503])
def test_an_outcome_that_is_unknown_may_be_stored_or_not(status: int | None) -> None:
    unknown = replace(SILENT, status=status)
    assert reckon([unknown], [ROW]).faults == []
    assert reckon([unknown], []).faults == []


def test_an_acknowledgement_without_a_row_is_lost() -> None:
    assert reckon([ACKNOWLEDGED], []).faults == ["lost: 1 (key-1)"]


def test_one_forged_acknowledgement_among_many_is_found() -> None:
    honest = [replace(ACKNOWLEDGED, number=number, key=f"key-{number}") for number in range(1_000)]
    rows = [replace(ROW, key=f"key-{number}") for number in range(1_000)]
    forged = replace(ACKNOWLEDGED, number=1_000, key="forged")
    assert reckon(honest, rows).faults == []
    assert reckon([*honest, forged], rows).faults == ["lost: 1 (forged)"]


def test_a_key_that_is_stored_twice_is_a_duplicate() -> None:
    assert reckon([ACKNOWLEDGED], [ROW, replace(ROW, intake_id="id-2")]).duplicated == ["key-1"]


def test_an_intake_that_became_two_leads_is_a_duplicate() -> None:
    assert reckon([ACKNOWLEDGED], [replace(ROW, leads=2)]).duplicated == ["key-1"]


def test_a_payload_that_is_not_the_acknowledged_one_is_found() -> None:
    assert reckon([ACKNOWLEDGED], [replace(ROW, body="another")]).changed == ["key-1"]


def test_a_second_202_for_another_payload_is_found() -> None:
    assert reckon([ACKNOWLEDGED, replace(ACKNOWLEDGED, number=2, body="another")], [ROW]).changed == ["key-1"]


def test_an_acknowledgement_that_names_another_intake_is_found() -> None:
    assert reckon([ACKNOWLEDGED, replace(ACKNOWLEDGED, number=2, intake_id="id-2")], [ROW]).renamed == ["key-1"]


@pytest.mark.parametrize(
    "attempts",
    [[], [replace(SILENT, status=422)], [replace(SILENT, status=503, wanted="refuse")]],
    ids=["never sent", "refused", "no valid lead"],
)
def test_a_row_without_an_acknowledgement_is_uninvited(attempts: list[Attempt]) -> None:
    assert reckon(attempts, [ROW]).uninvited == ["key-1"]


@pytest.mark.parametrize("row", [replace(ROW, leads=0), replace(ROW, leads_alike=False), replace(ROW, consents=1)])
def test_an_intake_that_is_not_a_whole_lead_is_unfinished(row: Stored) -> None:
    assert reckon([ACKNOWLEDGED], [row]).unfinished == ["key-1"]


@pytest.mark.parametrize("rest", [Rest(queued=1), Rest(dead=1), Rest(stray_leads=1)])
def test_any_other_row_in_the_database_is_reported(rest: Rest) -> None:
    assert len(reckon([ACKNOWLEDGED], [ROW], rest).faults) == 1
