"""PLAT_01: Podman by the pinned method, with our own configuration, and the base image.

Purpose: Everything runs in containers, so Podman comes first, in one known version.

Leaves: Podman by the pinned method, our files in `/etc/containers`, and the base image.

Verify: The version matches the pin, no second podman is on the path, the Quadlet generator is installed, and a
throw-away container runs.

Differs: Podman may also be the distribution's package; the company's static build in `/usr/local/bin` is the
method `locked`. PLAT_01B, its fallback, is left out.
"""

from deploys.kit.operations import backup, gate, hostfiles, image
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.run import page
from deploys.services.podman import PODMAN, podman

# What
this = page.begin("PLAT_01")

# Pins
pin = PODMAN.pin(this.release)
base = this.release.base

# Preconditions: a Debian 13 or Amazon Linux 2023 that answers over SSH; the package manager decides.

# Backup
configuration = [
    HostFile(f"/etc/containers/{file}", render(f"podman/{file}", page=this.id, podman=pin, base=base))
    for file in ("containers.conf", "storage.conf", "registries.conf", "policy.json")
]
backup.files(this, configuration)

# Operations
hostfiles.directories(this, [hostfiles.HostDirectory("/etc/containers")])
hostfiles.place(this, configuration, "configuration of Podman")
podman.install(this, pin)
image.provide_base(this)

# Verify
gate.wait(this, f"podman is {pin.version}", f'[ "$(podman --version)" = "podman version {pin.version}" ]')
gate.wait(this, "one podman on the path", podman.ONE_ON_PATH)
gate.wait(this, "quadlet generator", f"[ -x {podman.generator(pin)} ]")
gate.once(
    this,
    "a throw-away container runs",
    f"podman run --rm --network none --read-only --cap-drop all {image.base_tag(this.release)} true",
    seconds=60,
)

# Record
page.passed(this)
