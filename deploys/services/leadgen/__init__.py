"""The lead intake: API, worker and sweeper, from one image."""

from dataclasses import dataclass
from typing import Final

from deploys.kit.plan import pin
from deploys.kit.plan.pin import Built, Kind, block
from deploys.kit.plan.service import Recipe, Secret, Service

PORT: Final = 8000
ADDRESS: Final = f"127.0.0.1:{PORT}"
GIT_REF: Final = "leadgen_git_ref"  # --data: the tag to run, if not the pin's
POST: Final = "leadgen_post"  # --data: the operator's word that the running release works after a `post` migration
_SOURCE: Final = ("leadgen", "requirements", "pyproject.toml")


@dataclass(frozen=True)
class Leadgen:
    """The git ref of its code and its image, and the exact Python that runs it."""

    python: str
    ref: str


@dataclass(frozen=True)
class Intake:
    """Its settings."""

    leadgen_states: str
    leadgen_site_default_state: str
    leadgen_workers: int
    leadgen_memory_max_mb: int
    leadgen_cpu_percent: int
    leadgen_retention_months: int


def recipe(pinned: Leadgen) -> Recipe:
    """Its tag begins with the ref: releases of the intake differ by their code, not by their Python."""
    return Recipe(Built(pinned.python, pinned.ref), pinned.ref.replace("/", "-"), _SOURCE)


_PYTHON: Final = pin.value(pin.THREE_NUMBERS, pin.in_base("python3", pin.THREE_NUMBERS))
_CODE: Final = pin.ref("leadgen/, requirements/ and containers/leadgen are")

LEADGEN: Final = Service(
    "leadgen",
    ("app",),
    ("postgres", "redis", "backup", "nginx"),
    pinned=Kind(Leadgen, block(python=_PYTHON, ref=_CODE), {"python": "python3"}),
    settings=Intake,
    secrets=(
        Secret(
            "leadgen-api-keys",
            80,
            ("PLAT_04", "LEADGEN_06"),
            "leadgen keys new",
            about="Lines of the keys file as `leadgen keys new` prints them, with `;` between; they hold digests.",
        ),
        Secret(
            "leadgen-probe-key",
            60,
            ("PLAT_04", "LEADGEN_03", "LEADGEN_05", "LEADGEN_06", "LEADGEN_07B", "LEADGEN_07C"),
            "leadgen keys new --client motorcade-probe",
            about="The key with which the pages send synthetic leads; the pages add its line to the keys file.",
        ),
        Secret(
            "leadgen-site-key",
            60,
            ("PLAT_04", "LEADGEN_06", "PLAT_07A"),
            "leadgen keys new --client site",
            about="The key that the edge adds to forms of our own site; the pages add its line to the keys file.",
        ),
        Secret(
            "leadgen-erasure-key",
            40,
            ("LEADGEN_07C",),
            about="It recognises erased persons in a restored backup. Rotate it only when every backup from before"
            " their erasure is gone: a new one does not recognise them.",
        ),
    ),
    listeners=(ADDRESS,),
    data=(GIT_REF, POST),
    processes={
        "leadgen-api": "leadgen serve",
        "leadgen-sweeper": "leadgen sweep",
        "leadgen-worker": "leadgen worker",
    },
    recipe=recipe,
)
