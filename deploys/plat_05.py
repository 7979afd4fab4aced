"""PLAT_05: nginx on the host, with TLS and limits; it has no routes yet.

Purpose: nginx on the host is the only program that the public reaches.

Leaves: The pinned nginx, its configuration, its hardened unit, rules of the kernel that bound the connections of
one address, and an empty folder for routes.

Verify: `nginx -t` passes, the rules are in the kernel, only TLS 1.2 and 1.3 are offered, and an unrouted path gets
404.

Differs: The route to the intake is in PLAT_07.
"""

from typing import Any

from deploys.kit.operations import backup, gate, hostfiles, package, units
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render
from deploys.kit.run import page
from deploys.services.nginx import NGINX, Edge, limits, nginx

USER = "motorcade-edge"
TIMER = "motorcade-nginx-logs.timer"

# What
this = page.begin("PLAT_05")

# Pins
pin = NGINX.pin(this.release)

# Preconditions
settings = this.settings.of(Edge)
edge = settings.edge_host
nginx.certificate(this)
limits.check(settings)
values: dict[str, Any] = {
    "page": this.id,
    "edge_host": edge,
    "certificate": settings.edge_certificate,
    "key": settings.edge_key,
    "requests_per_second": settings.edge_requests_per_second,
    "burst": settings.edge_burst,
    "connections": settings.edge_connections,
    "rules": limits.RULES,
    "script": limits.SCRIPT,
    "blocks": limits.BLOCKS,
    "changed": limits.CHANGED,
}
user = HostFile(f"/etc/sysusers.d/{USER}.conf", render(f"nginx/{USER}.conf", **values))
unit = [
    nginx.drop_in("nginx/50-motorcade.conf", **values),
    *(
        HostFile(f"/etc/motorcade/nginx/{file}", render(f"nginx/{file}", **values))
        for file in ("configuration.sh", "prepare.sh", "shift-logs.sh", "limits.conf", "limits.sh")
    ),
    *(
        HostFile(f"/etc/systemd/system/{file}", render(f"nginx/{file}", **values))
        for file in ("motorcade-nginx-logs.service", TIMER, limits.UNIT)
    ),
]
configuration = [
    HostFile(f"{nginx.DIRECTORY}/nginx.conf", render("nginx/nginx.conf", **values)),
    HostFile(f"{nginx.OWN}/tls.conf", render("nginx/tls.conf", **values)),
]

# Backup
backup.files(this, [user, *unit, *configuration], restart=nginx.UNIT)

# Operations
version = f"nginx -v 2>&1 | grep -qx 'nginx version: nginx/{pin.version}'"
package.service(this, "nginx", pin.version, probe=f"{version} && command -v nft", beside="nftables")
hostfiles.directories(
    this,
    [
        HostDirectory("/etc/sysusers.d"),
        HostDirectory("/etc/motorcade/nginx"),
        HostDirectory("/etc/systemd/system/nginx.service.d"),
        HostDirectory(nginx.OWN),
        HostDirectory(f"{nginx.OWN}/routes.d"),
        HostDirectory(f"{nginx.OWN}/servers.d"),
    ],
)
hostfiles.place(this, [user, *unit], "user and units")
units.user(this, USER)
hostfiles.directories(this, [HostDirectory("/var/log/motorcade/nginx", mode="750", group=USER)])
nginx.place(this, configuration)
units.loaded(this, limits.UNIT)
limits.loaded(this)
units.enabled(this, nginx.UNIT)
units.enabled(this, TIMER)
units.running(this, TIMER)
nginx.running(this)

# Verify
gate.wait(this, "the limits are in the kernel", limits.LOADED)
gate.wait(this, "the configuration is valid", nginx.VALID)
gate.wait(this, "an unrouted path gets 404", nginx.answers(settings, "/metrics", "404"))
for version in ("1.2", "1.3"):
    gate.wait(this, f"it speaks TLS {version}", nginx.handshake(edge, version, "New, TLSv"))
for version in ("1.0", "1.1"):
    gate.wait(this, f"it refuses TLS {version}", nginx.handshake(edge, version, "alert protocol version"))

# Record
page.passed(this)
