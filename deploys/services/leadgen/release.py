"""Releases of the intake: which one to run, whether it may, the canary, and the roll, which reverts itself.

One drop-in names a service's image, and every roll rewrites it; the unit itself stays unchanged. The roll is one
script on the host, so a lost connection changes nothing: it ends with the new release or the old one.
"""

from collections.abc import Generator, Sequence
from pathlib import PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING, Final

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit import prose
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.operations import hostfiles
from deploys.kit.operations.hostfiles import HostFile, render
from deploys.kit.operations.image import IDS, Image
from deploys.kit.plan import pin
from deploys.kit.quadlet import linter, quadlet
from deploys.kit.run import steps
from deploys.kit.shell import SPARE_SECONDS, bounded
from deploys.services.leadgen import ADDRESS, GIT_REF, LEADGEN, POST, leadgen, migrations

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

KEPT: Final = 5  # images to go back to without a build
CANARY_SECONDS: Final = 120
ROLL_SECONDS: Final = (
    900  # every restart and gate, forward and back, at its slowest; a longer roll goes on without us
)


def ref(page: "Page") -> str:
    """The ref to run: `--data leadgen_git_ref=TAG`, or else the pin. Raises Refused for anything but a tag."""
    given = page.run.data(GIT_REF)
    if given is None:
        return LEADGEN.pin(page.release).ref
    if not pin.is_ref(given) or (given == pin.WORKTREE and page.settings.environment != "lab"):
        raise Refused(
            f"--data {GIT_REF}",
            f"{given!r} is not a tag",
            "use one of `git tag --list`, or leave it out for the pin",
        )
    return given


def drop_ins(built: Image) -> list[HostFile]:
    """One per service, naming its image."""
    return [
        quadlet.unit("leadgen/50-release.conf", into=f"{leadgen.unit_of(service)}.container", image=built.tag)
        for service in leadgen.SERVICES
    ]


def announce(page: "Page", built: Image, ref: str) -> None:
    """At load: logs and records what runs now and what will."""
    now = host.get_fact(Probe, _NAMED).lines
    running = now[0].rpartition(":")[2] if now else "the image of its unit"
    if running != built.release:
        source = "the pin" if ref == LEADGEN.pin(page.release).ref else "named by --data"
        logger.info(f"--> {page.id}: from {running} to {built.release}, which is {source}")
        word = page.run.data(POST)
        page.run.note(
            page.id,
            {"from": running, "to": built.release, **({"works on its schema after": word} if word else {})},
        )


def may_follow(page: "Page", built: Image) -> None:
    """Refuses, before anything changes, a release that cannot be rolled back."""
    _may_follow(page=page, built=built, **page.op("a rollback is possible", 30))


def canary(page: "Page", built: Image) -> None:
    """The image serves beside the running one, on the real database: health, readiness, a write rolled back."""
    unit = quadlet.unit("leadgen/motorcade-leadgen-api.container", **leadgen.values(page, "api", built))
    script = render(
        "leadgen/canary.sh",
        image=built.tag,
        address=ADDRESS,
        release=built.release,
        as_the_unit=list(leadgen.podman_options(unit.content)),
    )
    page.uses("canary", prose.without_heading(script))
    _canary(page=page, built=built, script=script, **page.op("canary", CANARY_SECONDS + SPARE_SECONDS))


def roll(page: "Page", built: Image) -> None:
    """API, worker and sweeper run the image; a red gate restores the previous image, and the page fails."""
    files = drop_ins(built)
    if faults := linter.lint({file.path: file.content for file in files}):
        raise Refused("units of leadgen", "; ".join(faults), "correct them in deploys/services/leadgen/templates")
    hostfiles.register(page, files)
    _roll(page=page, built=built, files=files, **page.op("roll", ROLL_SECONDS + SPARE_SECONDS))


def prune(page: "Page") -> None:
    """Keeps the images rolled most recently, the pin's and those in use; removes the others."""
    pinned = leadgen.image_from(page.release, LEADGEN.pin(page.release).ref).tag
    _prune(page=page, pin=pinned, **page.op(f"the last {KEPT} images", 120))


def runs(built: Image) -> str:
    """Shell: succeeds if every service runs the image recorded by its build."""
    form = "{{.Image}}"
    units = " ".join(map(leadgen.unit_of, leadgen.SERVICES))
    return (
        f"wanted=$(cat {built.id_file}); for unit in {units}; do"
        f' found=$(podman inspect --format \'{form}\' $unit); [ "$found" = "$wanted" ] ||'
        ' { echo "$unit runs ${found:-nothing}, but $wanted was recorded"; exit 1; }; done'
    )


@operation()
def _may_follow(page: "Page", built: Image) -> Generator[StringCommand]:
    """A `post` migration may break the previous release, unless that ships it too; only people know more."""
    todo = migrations.missing(migrations.shipped(built))
    ending = [migration.version for migration in todo if migration.stage == "post"]
    known = host.get_fact(Probe, _KNOWN).lines if ending else []
    granted = page.run.data(POST)
    if stranded := [version for version in ending if f"post {version}" not in known and version != granted]:
        raise OperationError(
            f"{page.id}: {built.release} ships {stranded[0]}, which may break the running release, so"
            " there may be no way back; first roll to a release that needs nothing it removes, then confirm that"
            f" the running one is such a release: --data {POST}={stranded[0]}"
        )
    host.noop(f"{page.id}: the running release works on the schema of {built.release}")
    yield from ()


@operation()
def _canary(page: "Page", built: Image, script: str) -> Generator[StringCommand]:
    if host.get_fact(Probe, runs(built)).green:
        host.noop(f"{page.id}: {built.release} already runs")
        return
    page.may_change("a canary")
    yield StringCommand(f"timeout {CANARY_SECONDS} sh -c {quote(script)}")


@operation()
def _roll(page: "Page", built: Image, files: list[HostFile]) -> Generator[StringCommand]:
    wanted = hostfiles.differing(files)
    services = [f"{leadgen.unit_of(service)}.service" for service in leadgen.SERVICES]
    fresh = all(host.get_fact(quadlet.Units, service=service).fresh for service in services)
    if not wanted and fresh and host.get_fact(Probe, runs(built)).green:
        host.noop(f"{page.id}: {built.release} runs")
        return
    page.may_change(f"{built.release} as the release")
    yield bounded(_script(page, built, files, services), ROLL_SECONDS, hostfiles.archive(files))


def _script(page: "Page", built: Image, files: Sequence[HostFile], services: Sequence[str]) -> str:
    install = quadlet.install_script(page.id, files, services)
    folders = [str(PurePosixPath(file.path).parent) for file in files]
    return render(
        "leadgen/roll.sh",
        install=quote(install),
        folders=folders,
        services=leadgen.SERVICES,
        release=built.release,
        image=built.tag,
        id_file=built.id_file,
        stage=f"{hostfiles.STAGING}/{page.id}/before",
        step=f"{steps.DIRECTORY}/{page.id}.json",
        address=ADDRESS,
    )


@operation()
def _prune(page: "Page", pin: str) -> Generator[StringCommand]:
    extra = [tag for tag in host.get_fact(Probe, _EXTRA).lines if tag != pin]
    loose = host.get_fact(Probe, _LOOSE).green
    if not extra and not loose:
        host.noop(f"{page.id}: no image to remove")
        return
    page.may_change("images")
    for tag in extra:
        file = f"{IDS}/{tag.rpartition('/')[2].replace(':', '-')}.id"
        yield StringCommand(f"timeout 60 podman image rm {quote(tag)} && rm -f {quote(file)}")
    if loose:
        yield StringCommand("timeout 60 podman image prune --force >/dev/null")


_DROP_IN: Final = f"{quadlet.DIRECTORY}/motorcade-leadgen-api.container.d/50-release.conf"
_NAMED: Final = f"sed -n 's/^Image=//p' {_DROP_IN} 2>/dev/null"
# Leftovers of builds; a few of them save the next build its first steps.
_LOOSE: Final = '[ "$(podman images --quiet --filter dangling=true | wc -l)" -gt 20 ]'
_KNOWN: Final = (
    "timeout 30 podman run --rm --pull never --network none --read-only --log-driver none"
    " $(podman inspect --format '{{.Image}}' motorcade-leadgen-api) migrate --list"
)
# Newest first by the file that holds an image's id: a roll touches it. Images of containers are never listed.
_EXTRA: Final = (
    f"cd {IDS} 2>/dev/null && for file in $(ls -t motorcade-leadgen-*.id 2>/dev/null | tail -n +{KEPT + 1}); do"
    ' id=$(cat "$file");'
    ' [ -n "$(podman ps --all --quiet --filter "ancestor=$id")" ] ||'
    ' podman image inspect --format "{{index .RepoTags 0}}" "$id" 2>/dev/null; done; true'
)
