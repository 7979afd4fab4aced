"""Pages that look at a host, or stop and start what is on it: each command of them runs as it is written."""

# More than a minute: twenty runs of pages, one backup and one drill.

import base64
import os
import re
import signal
from pathlib import Path

from tests.lab.command import until
from tests.lab.deploying import record, sentence
from tests.lab.load import post
from tests.runbooks.desk import At, Desk, Done

RUNBOOKS = "docs/runbooks"
SERVICES = "docs/services"
HEALTH = "curl --silent --fail --max-time 5 http://127.0.0.1:8000/lead/health"


def started(desk: Desk, unit: str) -> At:
    """A stop for which the page gives no start."""
    return At(after=lambda _: desk.host.root(f"systemctl start {unit}"))


def passed(done: Done) -> None:
    assert "--> OK: run-" in done.output, done.output


def test_a_page_is_looked_at_and_run_and_its_record_kept(desk: Desk) -> None:
    lines = len(record(desk.host))

    def nothing(done: Done) -> None:
        assert done.output == ""

    def untouched(_: Done) -> None:
        assert len(record(desk.host)) == lines

    def recorded(done: Done) -> None:
        passed(done)
        said = re.search(
            r"recorded in (docs/deployments/[\d-]+\.md), line (\d+) on the host", sentence(done.output)
        )
        assert said, done.output
        assert int(said[2]) == len(record(desk.host))
        assert (desk.checkout / said[1]).is_file()

    desk.follow(
        f"{RUNBOOKS}/deploy.md",
        at={
            "git status --short": At(after=nothing),
            "--dry": At(after=untouched),
            "pyinfra inventories/prod.py deploys/plat_02b.py": At(after=recorded),
            "verify=again": At(after=passed),
        },
    )
    desk.green()


def test_the_first_steps_in_an_incident_find_nothing_on_a_healthy_host(desk: Desk) -> None:
    def healthy(done: Done) -> None:
        assert re.match(r"HTTP/\S+ 200", done.output), done.output
        assert '"status": "ok"' in done.output, done.output

    desk.follow(f"{RUNBOOKS}/incident-first-steps.md", at={"curl": At(after=healthy)})
    desk.green()


def test_maintenance_closes_the_intake_and_opens_it(desk: Desk) -> None:
    def closed(_: Done) -> None:
        assert post(desk.host).status == 503

    def open_again(_: Done) -> None:
        assert post(desk.host).status == 202

    desk.follow(f"{RUNBOOKS}/maintenance.md", at={"state=on": At(after=closed), "state=off": At(after=open_again)})
    desk.green()


def test_logs_are_read_by_pyinfra_and_by_ssh(desk: Desk) -> None:
    desk.follow(
        f"{RUNBOOKS}/read-the-logs.md",
        values={"tail -F": "timeout 3 tail -F", '"unavailable"': '"stored"'},
        at={"tail -F": At(ends=124)},
    )


def test_a_checkpoint_is_taken_and_checked_later(desk: Desk, tmp_path: Path) -> None:
    desk.follow(f"{RUNBOOKS}/take-a-checkpoint.md", values={" /tmp": f" {tmp_path}"})
    desk.green()


def test_a_locked_page_runs_with_a_reason(desk: Desk) -> None:
    desk.follow(f"{RUNBOOKS}/unlock-a-page.md", at={"owner, 21 Nov": At(after=passed)})
    desk.green()


def test_the_lock_of_a_dead_run_is_broken_by_its_id(desk: Desk) -> None:
    died = desk.at_desk("python -m tests.lab.killed 3 -y inventories/lab.py deploys/plat_02b.py")
    assert died.code in (137, -signal.SIGKILL), died.output
    run = str(record(desk.host)[-1]["run"])
    refused = desk.at_desk("pyinfra -y inventories/lab.py deploys/plat_02b.py")
    assert re.search(
        rf"{desk.host.name}: locked by \S+@\S+ since \S+ \(PLAT_02B, {run}, process \d+\); wait for it",
        sentence(refused.output),
    ), refused.output
    desk.follow(
        f"{RUNBOOKS}/break-a-lock.md",
        values={"run-20261121-103000-3f2a": run},
        at={"deploys.status": At(ends=1), "acknowledge=": At(after=passed)},
    )
    desk.green()


def test_an_alert_is_looked_into(desk: Desk) -> None:
    desk.follow(f"{RUNBOOKS}/alerts.md", at={"image prune": At(given="y\n")})
    desk.green()


def test_alerts_are_tried_and_silenced(desk: Desk) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    desk.follow(
        f"{SERVICES}/alerts.md",
        at={
            "set prod": At(given=f"{key}\n"),
            "verify=again": At(after=passed),
            "stop motorcade-alerts.timer": started(desk, "motorcade-alerts.timer"),
        },
    )
    desk.green()


def test_a_backup_is_taken_and_drilled_by_hand(desk: Desk) -> None:
    desk.follow(f"{SERVICES}/backup.md")
    desk.green()


def test_the_api_is_restarted_and_asked(desk: Desk) -> None:
    def serves(_: Done) -> None:
        assert until(lambda: desk.host.root(HEALTH, check=False).returncode == 0, 60)

    desk.follow(
        f"{SERVICES}/leadgen-api.md",
        at={"restart motorcade-leadgen-api": At(after=serves), "recoveries": At(ends=1)},
    )
    desk.green()


def test_worker_and_sweeper_are_stopped(desk: Desk) -> None:
    for name in ("worker", "sweeper"):
        stop = started(desk, f"motorcade-leadgen-{name}")
        desk.follow(f"{SERVICES}/leadgen-{name}.md", at={f"stop motorcade-leadgen-{name}": stop})
    desk.green()


def test_the_edge_is_reloaded_asked_and_blocks_an_address(desk: Desk) -> None:
    said: list[str] = []

    def are_equal(done: Done) -> None:
        assert done.output.strip(), "the configuration on disk has a name"
        assert done.output.strip() in said[0]

    def blocked(done: Done) -> None:
        assert "203.0.113.7" in done.output

    desk.follow(
        f"{SERVICES}/nginx.md",
        at={
            "--for 1h": At(after=blocked),
            "curl http://127.0.0.1:8009": At(after=lambda done: said.append(done.output)),
            "configuration.sh": At(after=are_equal),
        },
    )
    desk.green()


def test_postgresql_is_restarted_and_asked(desk: Desk) -> None:
    ready = "podman exec motorcade-postgres pg_isready"

    def answers(_: Done) -> None:
        assert until(lambda: desk.host.root(ready, check=False).returncode == 0, 60)

    desk.follow(f"{SERVICES}/postgres.md", at={"restart motorcade-postgres": At(after=answers)})
    desk.green()


def test_redis_is_restarted_and_asked(desk: Desk) -> None:
    def pong(done: Done) -> None:
        assert done.output.strip() == "PONG"

    desk.follow(f"{SERVICES}/redis.md", at={"redis-ask PING": At(after=pong), "recoveries": At(ends=1)})
    desk.green()


def test_drift_has_nothing_to_report_after_all_of_this(desk: Desk) -> None:
    desk.follow(f"{RUNBOOKS}/drift.md")
