"""PLAT_07: the routes of the edge; so far, to the intake.

Purpose: Each public address leads to one service.

Leaves: The route `/api/lead/` to the intake, its limits, and our own texts for 413, 429 and 503.

Verify: Health answers through the edge; `/metrics` and everything unlisted get 404.
"""

from deploys.kit.operations import backup, gate
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run import page
from deploys.services.leadgen import ADDRESS
from deploys.services.nginx import INTAKE_SECONDS, Edge, nginx

# What
this = page.begin("PLAT_07")

# Pins: none; the page installs no program.

# Preconditions
settings = this.settings.of(Edge)
edge = settings.edge_host
lead = HostFile(
    f"{nginx.OWN}/routes.d/lead.conf",
    render(
        "nginx/lead.conf",
        page=this.id,
        edge_host=edge,
        address=ADDRESS,
        requests_at_once=settings.requests_at_once,
        intake_seconds=INTAKE_SECONDS,
        burst=settings.edge_burst,
    ),
)

# Backup
backup.files(this, [lead], restart=nginx.UNIT)

# Operations
nginx.place(this, [lead])
nginx.running(this)

# Verify
gate.wait(this, "maintenance is off", nginx.IS_OPEN, seconds=1)
gate.wait(this, "health answers through the edge", nginx.answers(settings, "/api/lead/health", "200"))
for path in ("/metrics", "/lead/health", "/api/lead", "/api/lead/%2e%2e/metrics"):
    gate.wait(this, f"{path} is 404", nginx.answers(settings, path, "404"))

# Record
page.passed(this)
