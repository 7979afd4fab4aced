"""PLAT_05A: the edge's certificate from an ACME server, renewed before it ends, if group_data names a server.

Purpose: The public certificate renews itself before it ends.

Leaves: The pinned certbot, its user, a route for the server's challenges, and a timer that renews the certificate
and has nginx reload it. Both files of a pair change at once, and the old pair stays in use until the new one is
proved. Without `certificate_directory` it leaves nothing, and the certificate is two files as PLAT_05 found them.

Verify: nginx serves the newest certificate that was issued, and the last renewal has not failed.
"""

from deploys.kit.operations import backup, gate, hostfiles, package, units
from deploys.kit.operations.hostfiles import HostDirectory
from deploys.kit.run import page
from deploys.services.certificate import CERTIFICATE, certificate
from deploys.services.nginx import nginx

# What
this = page.begin("PLAT_05A")

# Pins
pin = CERTIFICATE.pin(this.release)

# Preconditions
by_acme = certificate.by_acme(this)
values = certificate.values(this)
files = [certificate.user_file(**values), *certificate.files(**values), certificate.route(**values)]
user, *programs, route = files

# Backup
if by_acme:
    backup.files(this, files, restart=nginx.UNIT)

# Operations
if by_acme:
    version = f"certbot --version 2>&1 | grep -qx 'certbot {pin.version}'"
    package.program(this, "certbot", pin.version, probe=version)
    hostfiles.directories(
        this,
        [
            HostDirectory("/etc/sysusers.d"),
            HostDirectory("/usr/local/libexec"),
            HostDirectory(certificate.PROGRAMS),
            HostDirectory(certificate.PAIRS),
        ],
    )
    hostfiles.place(this, [user], "user")
    units.user(this, certificate.USER)
    hostfiles.place(this, programs, "programs and units")
    nginx.place(this, [route])
    nginx.running(this)
    certificate.running(this)
else:
    certificate.by_files(this)
    nginx.running(this)

# Verify
if by_acme:
    gate.wait(this, "the last renewal went well", certificate.RENEWED)
    gate.wait(this, "the newest certificate is served", certificate.IN_USE)

# Record
page.passed(this)
