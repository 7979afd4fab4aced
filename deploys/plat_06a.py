"""PLAT_06A: port 80 redirects to port 443, and refuses what must not be sent unencrypted.

Purpose: Port 80 redirects to port 443 and accepts nothing.

Leaves: One file of nginx's configuration.

Verify: A page is redirected; a POST to the API is refused, because its key was sent unencrypted.
"""

from deploys.kit.operations import backup, gate
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run import page
from deploys.services.nginx import Edge, nginx

# What
this = page.begin("PLAT_06A")

# Pins: none; the page installs no program.

# Preconditions
settings = this.settings.of(Edge)
edge = settings.edge_host
redirect = HostFile(
    f"{nginx.OWN}/servers.d/redirect.conf",
    render("nginx/redirect.conf", page=this.id, edge_host=edge, burst=settings.edge_burst),
)

# Backup
backup.files(this, [redirect], restart=nginx.UNIT)

# Operations
nginx.place(this, [redirect])
nginx.running(this)

# Verify
gate.wait(this, "a page is redirected", nginx.answers(settings, "/a?b=c", "301", scheme="http"))
gate.wait(
    this,
    "a submission is refused",
    nginx.answers(settings, "/api/lead/intake", "403", scheme="http", options="--request POST"),
)

# Record
page.passed(this)
