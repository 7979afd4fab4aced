"""A client over its quota waits while others are served; with a nearly full disk, no lead is accepted."""

from dataclasses import replace
from pathlib import Path

import pytest

from leadgen.api import disk_space
from leadgen.api.app import create_app
from leadgen.api.disk_space import is_scarce
from leadgen.api.metrics_dir import MEMORY
from leadgen.api.services import services_of
from tests.conftest import Database
from tests.integration.api.caller import Caller, CountingDoorbell, Keys, assert_problem, make_config, rows


def test_a_client_over_its_quota_gets_a_429_while_another_is_served(database: Database, keys: Keys) -> None:
    config = replace(make_config(database, keys), client_rate=1, client_burst=3)
    app = create_app(config, CountingDoorbell())
    loud, other = Caller(app, keys.of["wordpress"]), Caller(app, keys.of["partner"])
    answers = [loud.post() for _ in range(20)]
    assert [answer.status_code for answer in answers[:3]] == [202] * 3
    assert_problem(answers[-1], 429, "too-many-requests")
    assert answers[-1].headers["Retry-After"] == "1"
    assert other.post().status_code == 202
    accepted = [answer.status_code for answer in answers].count(202)
    assert rows(database, "SELECT count(*) FROM app.intake_jobs") == [(accepted + 1,)]
    services_of(app).close()


def test_a_client_over_its_quota_is_refused_before_its_body_is_looked_at(database: Database, keys: Keys) -> None:
    config = replace(make_config(database, keys), client_rate=1, client_burst=1)
    app = create_app(config, CountingDoorbell())
    loud, other = Caller(app, keys.of["wordpress"]), Caller(app, keys.of["partner"])
    assert loud.post().status_code == 202
    assert_problem(loud.post(b"{"), 429, "too-many-requests")
    assert_problem(other.post(b"{"), 400, "malformed-json")
    services_of(app).close()


def test_a_day_has_a_cap_of_bytes(database: Database, keys: Keys) -> None:
    app = create_app(replace(make_config(database, keys), client_daily_bytes=500), CountingDoorbell())
    caller = Caller(app, keys.of["wordpress"])
    assert [caller.post().status_code for _ in range(3)] == [202, 429, 429]
    assert int(caller.post().headers["Retry-After"]) <= 86_400
    services_of(app).close()


def test_a_disk_that_is_nearly_full_is_a_503_that_readiness_and_health_explain(
    database: Database, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(replace(make_config(database, keys), database_disk=tmp_path), CountingDoorbell())
    caller = Caller(app, keys.of["wordpress"])
    monkeypatch.setattr(disk_space, "LEAST_FREE", 1.1)  # no disk has so much
    problem = assert_problem(caller.post(), 503, "unavailable")
    assert problem["detail"] == "The disk of PostgreSQL's data is nearly full."
    assert assert_problem(caller.get("/lead/ready"), 503, "unavailable")["detail"] == problem["detail"]
    health = caller.get("/lead/health").get_json()
    assert (health["status"], health["fault"]) == ("degraded", "disk nearly full")
    services_of(app).close()


def test_a_disk_with_space_is_not_scarce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_scarce(None)
    assert not is_scarce(MEMORY)
    monkeypatch.setattr(disk_space, "LEAST_FREE", 0.0)
    assert not is_scarce(tmp_path)
