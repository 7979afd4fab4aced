"""The order of running: every page of the runbook, what it needs first, and whether it may be run again."""

from dataclasses import dataclass
from typing import Final, Literal

from deploys.kit.errors import Refused


@dataclass(frozen=True)
class Entry:
    """One page. `locked`: verifies only, once it has passed. `frozen`: changes with the owner's word only.

    `leaves` and `verify` tell the operator what a page that is ready does to a host, and how it proves it.
    """

    id: str
    title: str
    requires: tuple[str, ...]
    status: Literal["ready", "planned"]
    locked: bool = False
    frozen: bool = False
    purpose: str = ""
    leaves: str = ""
    verify: str = ""

    @property
    def file(self) -> str:
        return f"deploys/{self.id.lower()}.py"


# The order of this tuple, not the numbers, is the order of running.
ORDER: Final[tuple[Entry, ...]] = (
    Entry(
        "PLAT_01",
        "Podman",
        (),
        "ready",
        purpose="Everything runs in containers, so the program that runs them comes first, in one known version.",
        leaves="Podman by the pinned method, the files in `/etc/containers` that are ours, and the base image.",
        verify="The version is the pin, there is no second podman on the path, the Quadlet generator is there,"
        " and a throw-away container runs.",
    ),
    Entry(
        "PLAT_02A",
        "Folders, network and target",
        ("PLAT_01",),
        "ready",
        purpose="What every service stands on is made once, by one page.",
        leaves="`/etc/motorcade`, `/srv/motorcade/volumes`, `/srv/motorcade/backups`, `/var/log/motorcade`, the"
        " network `motorcade-core`, and `motorcade.target`.",
        verify="The network has the range that group_data gives it, and the generator accepts every unit.",
    ),
    Entry(
        "PLAT_02B",
        "PostgreSQL, not started",
        ("PLAT_02A",),
        "ready",
        purpose="All that PostgreSQL needs is on the host and checked before anything is started.",
        leaves="The image, the volume, `/etc/motorcade/postgres` and the unit of `motorcade-postgres`; it starts"
        " nothing.",
        verify="The image carries the labels of the pin, and systemd has loaded the unit.",
    ),
    Entry(
        "PLAT_02C",
        "PostgreSQL is up",
        ("PLAT_02B",),
        "ready",
        purpose="PostgreSQL starts under an operator's eyes before it may start by itself.",
        leaves="`motorcade-postgres` running with the settings that lie on the host; not at boot yet.",
        verify="It answers a query in bounded time, is the pinned version, and has data checksums on.",
    ),
    Entry(
        "PLAT_03",
        "Schema and roles",
        ("PLAT_02C",),
        "ready",
        purpose="Each program reaches the data as a role of its own, with the rights it needs and no more.",
        leaves="The database `motorcade`, the schema `app`, the roles `motorcade_owner`, `motorcade_app`,"
        " `motorcade_ro` and `motorcade_backup`, and their passwords as Podman secrets.",
        verify="Each role does what it must, over the network and by its password, and is refused the rest.",
    ),
    Entry(
        "PLAT_04A",
        "PostgreSQL joins the boot",
        ("PLAT_03",),
        "ready",
        locked=True,
        purpose="The last proof before anything is built on the database; then the page locks itself.",
        leaves="One drop-in, by which `motorcade.target` starts PostgreSQL at boot.",
        verify="The read-only role reads over the network and is refused a write; the target wants the service.",
    ),
    Entry(
        "PLAT_08",
        "Backups",
        ("PLAT_04A",),
        "ready",
        purpose="The host may be lost, and the leads are not: encrypted base backups and WAL lie outside it.",
        leaves="pgBackRest, its settings and secrets, the schema `backup`, archiving switched on, and the units"
        " that ship WAL, take base backups and keep the heartbeat.",
        verify="WAL arrives in the store, and a base backup of this cluster is there with its manifest.",
    ),
    Entry(
        "PLAT_08B",
        "Redis, not started",
        ("PLAT_02A",),
        "ready",
        purpose="All that Redis needs is on the host and checked before anything is started.",
        leaves="The image, the password as a Podman secret, the volume, `/etc/motorcade/redis` and the unit of"
        " `motorcade-redis`; it starts nothing.",
        verify="The image carries the labels of the pin, and systemd has loaded the unit.",
    ),
    Entry(
        "PLAT_08C",
        "Redis is up",
        ("PLAT_08B",),
        "ready",
        purpose="Redis starts behind a bounded gate, under an operator's eyes.",
        leaves="`motorcade-redis` running with the settings that lie on the host; not at boot yet.",
        verify="It answers PONG to the password and nobody else, is the pinned version, and evicts nothing.",
    ),
    Entry(
        "PLAT_08D",
        "Redis heals itself",
        ("PLAT_08C",),
        "ready",
        purpose="A dead or a hung Redis comes back without an operator, and a broken one gives up aloud.",
        leaves="`motorcade-redis-healthcheck.timer` and the drop-in by which Redis joins the boot.",
        verify="The timer runs, its watch asks and is answered, and a killed Redis is back within the bound.",
    ),
    Entry(
        "PLAT_04",
        "LeadGen API",
        ("PLAT_04A", "PLAT_08D"),
        "ready",
        purpose="The intake answers on this host, behind a socket that outlives its container.",
        leaves="The intake's image, its secrets, the unit of `motorcade-leadgen-api` and"
        " `motorcade-leadgen-api.socket` on 127.0.0.1:8000.",
        verify="`/lead/health` answers through the socket and names the release; nothing listens elsewhere.",
    ),
    Entry(
        "LEADGEN_01",
        "Leads",
        ("PLAT_04",),
        "ready",
        purpose="What the company works with has its place in the database.",
        leaves="The migration `20260126_01_wave1_leads`: `app.leads` and the table of versions.",
        verify="The version is applied with the text that this release ships, and the tables are there.",
    ),
    Entry(
        "LEADGEN_03",
        "Write path",
        ("LEADGEN_01",),
        "ready",
        purpose="From here on a 202 is a promise: an intake is kept, and it is kept once.",
        leaves="The migrations up to `20261121_01_synthetic_leads`: the outbox, its queue, and the function that"
        " removes synthetic leads.",
        verify="A real intake makes one row in `app.intake_jobs`; the same Idempotency-Key makes no second.",
    ),
    Entry(
        "LEADGEN_07C",
        "Worker and sweeper",
        ("LEADGEN_03",),
        "ready",
        purpose="Intakes become leads, although the worker or Redis is down.",
        leaves="The units of `motorcade-leadgen-worker` and `motorcade-leadgen-sweeper`, running and at boot.",
        verify="With the worker stopped an intake is still answered 202; with it started, and with Redis stopped,"
        " the queue is drained.",
    ),
    Entry(
        "LEADGEN_02",
        "Release",
        ("LEADGEN_07C",),
        "ready",
        purpose="The way to every later release of the intake, and back, without a refused request.",
        leaves="The drop-in `50-release.conf` of API, worker and sweeper, which names the image that runs; the"
        " last five images.",
        verify="A canary passes before the roll; after it each container runs the image that was recorded when it"
        " was built. A red gate puts the image before back by itself.",
    ),
    Entry(
        "LEADGEN_04",
        "Hardening",
        ("LEADGEN_02",),
        "ready",
        purpose="The intake has no right it does not need, and a hung one is brought back.",
        leaves="The drop-in `40-hardening.conf` of API, worker and sweeper, and"
        " `motorcade-leadgen-watchdog.timer`.",
        verify="Limits by `systemctl show`, the rest by `podman inspect`; a hung API answers again within"
        " the bound.",
    ),
    Entry(
        "LEADGEN_06",
        "API keys",
        ("LEADGEN_03",),
        "ready",
        purpose="A client gets a key, or loses one, without a refused request.",
        leaves="`/etc/motorcade/leadgen/api-keys`, which holds digests, from the secret.",
        verify="The API has read the file as it lies there; the probe's key works, one that was never issued is"
        " refused.",
    ),
    Entry(
        "LEADGEN_07B",
        "Persistence check",
        ("LEADGEN_07C",),
        "ready",
        purpose="What was sent is what the company finds, down to the last field.",
        leaves="Nothing: its synthetic lead is removed again.",
        verify="One marked lead is answered 202, `app.leads` has one row more, its newest time moved, and its"
        " jsonb equals what was sent.",
    ),
    Entry(
        "PLAT_05",
        "TLS edge",
        ("PLAT_02A",),
        "ready",
        frozen=True,
        purpose="nginx on the host, the only program that the public reaches.",
        leaves="nginx of the pinned version, its configuration, its hardened unit, and an empty place for routes.",
        verify="`nginx -t`; TLS 1.2 and 1.3 only; what is not routed is 404.",
    ),
    Entry(
        "PLAT_06A",
        "Redirect to HTTPS",
        ("PLAT_05",),
        "ready",
        frozen=True,
        purpose="Port 80 answers with the address of port 443, and takes nothing in.",
        leaves="One file of nginx's configuration.",
        verify="A page is redirected; a POST to the API is refused, as its key was sent in the clear.",
    ),
    Entry(
        "PLAT_07",
        "Routes",
        ("PLAT_05", "PLAT_04"),
        "ready",
        frozen=True,
        purpose="Which address of the edge leads to which service.",
        leaves="The route `/api/lead/` to 127.0.0.1:8000, its limits, and its own words for 413, 429 and 503.",
        verify="Health answers through the edge; `/metrics` and everything unlisted are 404.",
    ),
    Entry(
        "LEADGEN_05",
        "End-to-end check",
        ("LEADGEN_07B", "PLAT_07"),
        "ready",
        purpose="The persistence check through the edge, as a client's website would send it.",
        leaves="Nothing: its synthetic lead is removed again.",
        verify="As LEADGEN_07B, over HTTPS; a failure shows diagnostics without personal data.",
    ),
    Entry(
        "PLAT_06",
        "People API",
        ("PLAT_07",),
        "planned",
        purpose="The second service on the platform.",
    ),
)

# Pages that are run when they are wanted, and never as part of the whole host.
TOOLS: Final[tuple[Entry, ...]] = (
    Entry(
        "MAINTENANCE",
        "Maintenance",
        # No page of the edge: one may be red because maintenance is on, and this is what ends it.
        ("PLAT_02A",),
        "ready",
        purpose="The intake is closed to the public for a while, without a change to the frozen edge.",
        leaves="`/etc/motorcade/maintenance` with `--data state=on`; with `state=off` it is gone.",
        verify="The edge answers 503, and what was accepted before has become leads; or health answers again.",
    ),
    Entry(
        "RESTORE",
        "Restore",
        # Not PLAT_08: on a new host it refuses until this has brought the database back.
        ("PLAT_02B",),
        "ready",
        purpose="The database comes back out of the store, as it was last or at a moment.",
        leaves="A copy in the container `motorcade-restore`; or, with `--data over=live`, the restored database in"
        " the place of the one that was there, which then lies in `/srv/motorcade/backups`.",
        verify="Recovery has come to its end and every table is counted; live, the intake is ready and a new base"
        " backup is taken.",
    ),
)


def find(page_id: str) -> Entry:
    """Raises Refused for a page that the runbook does not know."""
    for entry in (*ORDER, *TOOLS):
        if entry.id == page_id:
            return entry
    raise Refused(
        "runbook",
        f"it has no page {page_id}",
        "docs/RUNBOOK.md lists them, and a new one starts in deploys/kit/runbook.py",
    )
