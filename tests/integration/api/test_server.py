"""The API as it is served: one that waits holds up no other, keys change, metrics add up, an end is graceful."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg

from leadgen.domain import api_key
from tests.integration.lead import LEAD
from tests.integration.locks import wait_for_lock
from tests.integration.service import until
from tests.integration.stack import Stack


def test_sigterm_finishes_what_is_in_flight_and_exits_with_0(stack: Stack) -> None:
    with stack.serve() as service, closing(stack.connect()) as kept:
        with psycopg.connect(stack.database.superuser_url) as holder, ThreadPoolExecutor(1) as pool:
            assert stack.ask("GET", "/lead/ready", connection=kept)[0] == 200
            holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
            waiting = pool.submit(stack.post, "in-flight")
            wait_for_lock(stack.database)
            service.send(signal.SIGTERM)
            # The master hears it first, then its worker. The lock alone makes it unready too, for another reason.
            assert until(lambda: "shutting down" in str(stack.ask("GET", "/lead/ready", connection=kept)[2]))
            holder.rollback()
            assert waiting.result(10)[0] == 202, service.log
        kept.close()
        assert service.process.wait(25) == 0
    assert stack.count("intake_jobs") == 1


def test_a_request_that_waits_for_the_database_holds_up_no_other_of_its_process(stack: Stack) -> None:
    stack.settings["workers"] = "1"
    with stack.serve(), psycopg.connect(stack.database.superuser_url) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("LOCK TABLE app.intake_jobs IN ACCESS EXCLUSIVE MODE")
        waiting = pool.submit(stack.post)
        wait_for_lock(stack.database)
        assert stack.ask("GET", "/lead/openapi.json")[0] == 200
        assert not waiting.done()
        holder.rollback()
        assert waiting.result(10)[0] == 202


def test_a_revoked_key_stops_and_a_new_one_works_without_a_restart(stack: Stack) -> None:
    with stack.serve():
        assert stack.post()[0] == 202
        other, line = api_key.mint("wordpress", frozenset({"intake"}), None)
        (stack.directory / "keys").write_text(line + "\n")
        assert until(lambda: stack.post()[0] == 401, 5)
        stack.key = other
        assert until(lambda: stack.post()[0] == 202, 5)


def test_metrics_add_up_over_all_processes(stack: Stack) -> None:
    with stack.serve():
        assert stack.post_many(160) == [202] * 160
        assert 'leadgen_accepted_total{outcome="new"} 160.0' in stack.text("/metrics")
        # The queue is measured once a second, and for each process.
        assert until(lambda: "leadgen_backlog 160.0" in stack.text("/metrics"), 5)


def test_logs_carry_ids_and_no_personal_data_no_key_and_no_password(stack: Stack) -> None:
    with stack.serve() as service, stack.run("worker") as worker, stack.run("sweep") as sweep:
        status, document = stack.post("k")
        assert status == 202
        stack.ask("POST", "/lead/intake", json.dumps(LEAD | {"contact": {"full_name": "Ann"}}).encode())
        assert until(lambda: stack.count("leads") == 1)
        written = service.log + worker.log + sweep.log
    assert document["intake_id"] in written
    assert document["request_id"] in written
    for line in service.log.splitlines():
        json.loads(line)
    password = psycopg.conninfo.conninfo_to_dict(stack.database.app_url)["password"]
    for secret in ("Ann", "ann@example.com", "Austin", stack.key, str(password)):
        assert secret not in written
