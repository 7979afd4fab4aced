"""LEADGEN_04: the intake with only the rights it needs, and resource limits; a hung API is restarted.

Purpose: The intake has no right it does not need, and a hung one is restarted.

Leaves: The drop-in `40-hardening.conf` of API, worker and sweeper, and `motorcade-leadgen-watchdog.timer`.

Verify: `systemctl show` confirms the limits and `podman inspect` the rest; a hung API answers again within the
time limit.

Differs: Worker and sweeper are hardened as well; the company's row covers the API.
"""

from typing import Any

from deploys.kit.operations import backup, gate, watch
from deploys.kit.operations.hostfiles import render
from deploys.kit.operations.watch import Question
from deploys.kit.quadlet import quadlet
from deploys.kit.run import page
from deploys.services.leadgen import ADDRESS, Intake, leadgen

WATCH = "motorcade-leadgen-watchdog"

# What
this = page.begin("LEADGEN_04")
settings = this.settings.of(Intake)

# Pins: none; the page installs no program.

# Preconditions
limits: dict[str, Any] = {
    "memory_max_mb": settings.leadgen_memory_max_mb,
    "cpu_percent": settings.leadgen_cpu_percent,
}
drop_ins = {
    leadgen.unit_of(service): quadlet.unit(
        "leadgen/40-hardening.conf",
        into=f"{leadgen.unit_of(service)}.container",
        page=this.id,
        service=service,
        **limits,
    )
    for service in leadgen.SERVICES
}
address, _, port = ADDRESS.partition(":")
question = Question(
    address,
    int(port),
    f"{address}/32",
    request=r"GET /lead/health HTTP/1.1\r\nHost: motorcade\r\nConnection: close\r\n\r\n",
    answer="HTTP/1.1 200",
)
watched = watch.files(this, WATCH, "motorcade-leadgen-api.service", question)

# Backup
backup.files(this, [*drop_ins.values(), *watched])

# Operations
for service, drop_in in drop_ins.items():
    quadlet.install(this, service, [drop_in])
    quadlet.running(this, service)
watch.keep(this, WATCH, watched)

# Verify
gate.wait(
    this,
    "limits and rights are in force",
    render(
        "leadgen/check-hardening.sh",
        services=leadgen.SERVICES,
        user=leadgen.USER,
        cpu_quota=leadgen.seconds_of(settings.leadgen_cpu_percent),
        **limits,
    ),
)
gate.wait(this, "the API is ready to accept a lead", leadgen.ready(), seconds=60, service="leadgen-api")
gate.wait(this, "its watch agrees", watch.green(WATCH), seconds=30)
gate.once(
    this,
    "a killed API is back within 30 seconds",
    render("leadgen/check-healing.sh", address=ADDRESS),
    seconds=60,
)

# Record
page.passed(this)
