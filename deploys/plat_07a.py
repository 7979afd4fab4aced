"""PLAT_07A: a route to the intake for the forms of our own site, without a key in the browser; and security.txt.

Purpose: A visitor's browser sends a form straight to the intake, and the edge adds the site's API key.

Leaves: The route `/api/lead-intake` for POST, its limit, and the site's key in a file for root and nginx only. The
file `/.well-known/security.txt`, if `edge_security_contact` is set.

Verify: A form would be accepted, whatever key the browser sends; a GET gets 405, a page of another site 403.
`/.well-known/security.txt` is served, or 404 without a contact.

Differs: Theirs has no limit and no check of the origin. No frozen file changes.
"""

from shlex import quote

from deploys.kit import secrets
from deploys.kit.operations import backup, gate
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run import page
from deploys.services.leadgen import ADDRESS, api_keys, synthetic
from deploys.services.nginx import INTAKE_SECONDS, Edge, nginx, security_txt

ROUTE = "/api/lead-intake"
KEY_FILE = "motorcade/site-key.conf"  # below /etc/nginx

# What
this = page.begin("PLAT_07A")

# Pins: none; the page installs no program.

# Preconditions
settings = this.settings.of(Edge)
edge = settings.edge_host
security_txt.check(settings)
security = {
    "page": this.id,
    "edge_host": edge,
    "contact": settings.edge_security_contact,
    "expires": settings.edge_security_expires,
    "file": security_txt.FILE,
    "burst": settings.edge_burst,
}
files = [
    HostFile(
        f"{nginx.OWN}/servers.d/browser-limits.conf",
        render(
            "nginx/browser-limits.conf",
            page=this.id,
            edge_host=edge,
            requests_per_minute=settings.edge_browser_requests_per_minute,
        ),
    ),
    HostFile(
        f"{nginx.OWN}/routes.d/browser.conf",
        render(
            "nginx/browser.conf",
            page=this.id,
            edge_host=edge,
            address=ADDRESS,
            key_file=KEY_FILE,
            maintenance=nginx.MAINTENANCE,
            requests_at_once=settings.requests_at_once,
            intake_seconds=INTAKE_SECONDS,
            requests_per_minute=settings.edge_browser_requests_per_minute,
            burst=settings.edge_browser_burst,
        ),
    ),
    HostFile(f"{nginx.OWN}/routes.d/security.conf", render("nginx/security.conf", **security)),
    HostFile(security_txt.FILE, render("nginx/security.txt", **security)),
]
gate.wait(this, "the intake knows the site's key", api_keys.knows_site(this), seconds=1)

# Backup: of the files without a secret; the key is in the vault.
backup.files(this, files, restart=nginx.UNIT)

# Operations
secrets.place(this, f"{nginx.DIRECTORY}/{KEY_FILE}", nginx.USER, "nginx/site-key.conf", key=api_keys.SITE)
nginx.place(this, files)
nginx.running(this)

# Verify
json = "--header 'Content-Type: application/json'"
form = f"{json} --data {quote(synthetic.browser_lead(this.settings))}"
dry = f"{ROUTE}?validate=only"  # nothing is stored
gate.wait(this, "maintenance is off", nginx.IS_OPEN, seconds=1)
gate.wait(this, "a form would be accepted", nginx.answers(settings, dry, "204", options=form))
gate.wait(
    this,
    "a key from the browser is replaced",
    nginx.answers(
        settings, dry, "204", options=f"{form} --header 'X-API-Key: none' --header 'Authorization: Bearer none'"
    ),
)
gate.wait(
    this,
    "a form of another site is refused",
    nginx.answers(settings, dry, "403", options=f"{form} --header 'Origin: https://elsewhere.example'"),
)
gate.wait(this, "only POST is possible", nginx.answers(settings, ROUTE, "405"))
served = "200" if settings.edge_security_contact else "404"
gate.wait(this, f"security.txt is answered {served}", nginx.answers(settings, security_txt.ADDRESS, served))

# Record
page.passed(this)
