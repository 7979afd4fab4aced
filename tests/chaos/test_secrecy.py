"""Secret text is found in any place and in any case, and nothing else is."""

from pathlib import Path

import pytest

from tests.chaos.leads import dice, make_key, make_lead
from tests.chaos.secrecy import leaks

SECRETS = {"the API key": "mcl_secret"}


def test_a_person_s_words_are_found_in_a_log_of_any_part(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    lead = make_lead(make_key(dice(1)))
    (tmp_path / "log/postgres.1.log").write_text(f"DETAIL: {lead['contact']['email']}", encoding="utf-8")
    assert list(leaks(tmp_path, [], SECRETS)) == ["log/postgres.1.log shows a person's words"]


@pytest.mark.parametrize("text", ["Bearer mcl_secret", "MCL_SECRET"])
def test_a_secret_is_found_in_what_was_answered(tmp_path: Path, text: str) -> None:
    assert list(leaks(tmp_path, ["fine", text], SECRETS)) == ["answers shows the API key"]


def test_text_that_may_be_seen_is_not_a_leak(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_text('{"event": "stored"}', encoding="utf-8")
    assert list(leaks(tmp_path, ["backlog 0"], SECRETS)) == []
