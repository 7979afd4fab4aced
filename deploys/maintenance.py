"""MAINTENANCE: closes the intake to the public and waits until it has drained, or opens it again.

Purpose: The intake is closed to the public for a while, without a change to the frozen edge.

Leaves: `/etc/motorcade/maintenance` with `--data state=on`; with `state=off` the file is gone.

Verify: The edge answers 503, and everything accepted before has become a lead; or health answers again.
"""

from deploys.kit.errors import Refused
from deploys.kit.operations import gate, hostfiles
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run import page
from deploys.services.leadgen import ADDRESS
from deploys.services.nginx import Edge, nginx
from deploys.services.postgres import database

HEALTH = "/api/lead/health"
THERE = database.query("SELECT to_regclass('app.intake_queue') IS NOT NULL", "motorcade")
EMPTY = database.expect("SELECT count(*) FROM app.intake_queue", "0", "motorcade")
SECONDS = 60

# What
this = page.begin("MAINTENANCE")

# Pins: none; the page installs no program.

# Preconditions
state = this.run.data("state")
if state not in ("on", "off"):
    raise Refused(
        "--data state", f"{state or 'nothing'} is neither on nor off", "use --data state=on or state=off"
    )

this.run.note(this.id, {"state": state})

# Backup: nothing is replaced; the other state is the way back.

# Operations
if state == "on":
    hostfiles.place(this, [HostFile(nginx.MAINTENANCE, render("nginx/maintenance", page=this.id))], "closed")
else:
    hostfiles.absent(this, nginx.MAINTENANCE)

# Verify
if state == "on":
    gate.wait(this, "the edge answers 503", nginx.answers(this.settings.of(Edge), HEALTH, "503"))
    # nginx keeps no connection to the intake open, so each one is a request accepted before.
    gate.wait(
        this,
        "no request is in progress",
        f'[ -z "$(ss --no-header --tcp --numeric state established dst {ADDRESS})" ]',
        seconds=SECONDS,
    )
    gate.wait(
        this,
        "every accepted intake has become a lead",
        f'podman container exists {database.CONTAINER} || exit 0; there="$({THERE})" || exit 1;'
        f' [ "$there" = t ] || exit 0; {EMPTY}',
        seconds=SECONDS,
    )
else:
    gate.wait(
        this,
        "health answers through the edge",
        nginx.answers(this.settings.of(Edge), HEALTH, "200"),
        seconds=SECONDS,
    )

# Record
page.passed(this)
