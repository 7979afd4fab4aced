"""What each release was: its pins, what its images are made of, the parts of the intake. Written once.

`python -m deploys.history.history keep prod-2` (`make release NAME=prod-2`) writes releases/history/prod-2.yaml
from releases/prod.yaml, and beside it prod-2.cdx.json. `… verify` finds whatever was changed since.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from deploys.history import sbom
from deploys.kit import git, strict_yaml
from deploys.kit.errors import Refused
from deploys.kit.facts import digest
from deploys.kit.operations import image
from deploys.kit.operations.image import Image
from deploys.kit.plan import manifest, pins, services
from deploys.kit.plan.pins import Release
from deploys.kit.run import run_identity
from deploys.services.leadgen import LEADGEN, recipe

DIRECTORY: Final = Path("releases/history")
ENVIRONMENTS: Final = ("prod", "staging")  # a lab host is made anew each time, by pins of its own
LOCK: Final = "requirements/runtime.txt"

_PATCHED: Final = timedelta(days=35)  # longer than a month, so that a patch day a month is enough
_CHANGELOG: Final = Path("CHANGELOG.md")
_UNRELEASED: Final = re.compile(r"^## Unreleased$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_SEAL: Final = "seal: "  # the last line: sha256 of every line before it


@dataclass(frozen=True)
class Kept:
    """The files of one release."""

    name: str

    @property
    def file(self) -> Path:
        return DIRECTORY / f"{self.name}.yaml"

    @property
    def sbom(self) -> Path:
        return DIRECTORY / f"{self.name}.cdx.json"


def keep(name: str) -> str:
    """Writes the files of a release; returns what to tell the operator, also when they are there and say the same.

    Raises Refused, and has then written nothing, where the manifest, its refs, the checkout or CHANGELOG.md is not
    fit for it, and where the name was used for something else.
    """
    release, kept = _release(name), Kept(name)
    if kept.file.exists():
        _compare(kept, release)
        return f"{kept.file} is there, and says the same"
    if run_identity.here().dirty:
        raise Refused("git status", "there are changes that no commit holds", "commit or stash them")
    _check_changelog(release.environment)
    now = datetime.now(UTC).replace(microsecond=0)
    _check_refreshed(release, now.date())
    parts = sbom.document(_intake(release), _lock(release), now)
    born = {"sbom": digest(parts), "made": now.isoformat(), "commit": git.ask("rev-parse", "HEAD")}
    text = _sealed({**_describe(release), **born})
    DIRECTORY.mkdir(exist_ok=True)
    kept.sbom.write_text(parts, encoding="utf-8")
    with kept.file.open("x", encoding="utf-8") as file:
        file.write(text)
    return f"wrote {kept.file} and {kept.sbom}; commit both"


def unreleased(changelog: str) -> list[str]:
    """The entries of a changelog that no version has yet."""
    section = _UNRELEASED.search(changelog)
    return re.findall(r"^- (.+)$", section[1], re.MULTILINE) if section else []


def verify() -> list[str]:
    """Every fault of what is kept: changed, lost, or of a tag that has moved. Raises Refused without git."""
    names = {path.name.removesuffix(".yaml").removesuffix(".cdx.json") for path in DIRECTORY.glob("*")}
    faults = [fault for name in sorted(names) for fault in _faults(Kept(name))]
    return [f"{path}: was changed after it was committed" for path in rewritten()] + faults


def rewritten() -> list[str]:
    """Files that a commit or this checkout has changed or deleted since they were committed."""
    form = ("--name-only", "--no-renames", "--diff-filter=a", "--", str(DIRECTORY))
    # -m: a merge may not change one either.
    return sorted({*git.ask("log", "-m", "--format=", *form).split(), *git.ask("diff", "HEAD", *form).split()})


def _check_changelog(environment: str) -> None:
    """Raises Refused unless something is told that the environment's release before did not tell."""
    kept = [
        strict_yaml.read(file.read_text(encoding="utf-8"))[0] for file in DIRECTORY.glob(f"{environment}*.yaml")
    ]
    before = max(kept, key=lambda document: str(document["made"]), default=None)
    told = unreleased(git.ask("show", f"{before['commit']}:{_CHANGELOG}")) if before else []
    if set(unreleased(_CHANGELOG.read_text(encoding="utf-8"))) <= set(told):
        news = f" since {before['release']}" if before else ""
        raise Refused(
            str(_CHANGELOG), f"has nothing new under Unreleased{news}", "describe there what this release changes"
        )


def _check_refreshed(release: Release, today: date) -> None:
    """Raises Refused if the images would get packages from more than five weeks ago, or from a day to come."""
    day = date.fromisoformat(release.base.refreshed)
    if not timedelta() <= today - day <= _PATCHED:
        raise Refused(
            f"{release.path}: base.refreshed",
            f"{day} is not one of the last {_PATCHED.days} days",
            f"write {today}, and try the images in the lab and on staging",
        )


def _release(name: str) -> Release:
    environment = manifest.environment(name)
    if environment not in ENVIRONMENTS:
        raise Refused(name, "is not a release of prod or staging", "name one, such as prod-2")
    release = pins.load(Path("releases") / f"{environment}.yaml")
    if release.name != name:
        raise Refused(
            str(release.path),
            f"describes {release.name}",
            f"to keep {name}, write `release: {name}` there and commit it",
        )
    return release


def _describe(release: Release) -> dict[str, Any]:
    """What a release is, whenever and wherever that is asked. Raises Refused for a ref that is no tag here."""
    document, _ = strict_yaml.read(release.path.read_text(encoding="utf-8"))
    recipes = {service.name: service.image(release) for service in services.every()}
    images = {name: image.from_recipe(release, name, recipe) for name, recipe in recipes.items() if recipe}
    return {
        "release": document.pop("release"),
        "manifest": release.sha256,
        "pins": document,
        "images": {service: _inputs(built) for service, built in images.items()},
        "lock": digest(_lock(release)),
    }


def _inputs(built: Image) -> dict[str, str]:
    """What an image is built from, by the labels that it carries on a host, and the commit behind its tag."""
    labels = {label.removeprefix("motorcade."): value for label, value in built.labels.items()}
    return {"tag": built.tag, **labels, "commit": _commit(labels["ref"])}


def _intake(release: Release) -> Image:
    return image.from_recipe(release, LEADGEN.name, recipe(LEADGEN.pin(release)))


def _lock(release: Release) -> str:
    content, _ = image.context_files(LEADGEN.name, LEADGEN.pin(release).ref, [LOCK])[LOCK]
    return content.decode()


def _commit(ref: str) -> str:
    return git.ask("rev-parse", "--verify", f"refs/tags/{ref}^{{commit}}")


def _sealed(document: Mapping[str, Any]) -> str:
    text = f"# Written by `make release`, and never changed; {pins.PAGE} tells what it says.\n"
    text += strict_yaml.write(document)
    return f"{text}{_SEAL}{digest(text)}\n"


def _compare(kept: Kept, release: Release) -> None:
    """Raises Refused unless the file is whole, and of the same release."""
    if faults := list(_faults(kept)):
        raise Refused(str(kept.file), "; ".join(faults), "restore it from git")
    was, _ = strict_yaml.read(kept.file.read_text(encoding="utf-8"))
    now = _describe(release)
    if other := [key for key in now if was.get(key) != now[key]]:
        raise Refused(
            str(kept.file), f"is of another {', '.join(other)}", f"give {release.path} a name that was never used"
        )


def _faults(kept: Kept) -> Iterator[str]:
    """What is wrong with one release's files, as they lie here."""
    for path in (kept.file, kept.sbom):
        if not path.is_file():
            yield f"{path}: is gone"
            return
    text, seal, sum_ = kept.file.read_text(encoding="utf-8").rpartition(_SEAL)
    if not seal or sum_ != f"{digest(text)}\n":
        yield f"{kept.file}: is not what was written"
        return
    document, _ = strict_yaml.read(text)
    if document["sbom"] != digest(kept.sbom.read_bytes()):
        yield f"{kept.sbom}: is not what was written"
    for service, inputs in document["images"].items():
        try:
            moved = _commit(inputs["ref"]) != inputs["commit"]
        except Refused:
            yield f"{kept.file}: {service}'s tag {inputs['ref']} is not in this checkout"
        else:
            if moved:
                yield f"{kept.file}: {service}'s tag {inputs['ref']} has moved since"


@click.group()
def history() -> None:
    """Keep what a release is, and see that it stays so."""


@history.command("keep")
@click.argument("name")
def _keep(name: str) -> None:
    """Write the files of the release that the manifest names."""
    try:
        click.echo(keep(name))
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused


@history.command("verify")
def _verify() -> None:
    """Check every release that is kept; exit 1 on any fault."""
    try:
        faults = verify()
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    for fault in faults:
        click.echo(fault)
    click.echo(f"{DIRECTORY}: {len(list(DIRECTORY.glob('*.yaml')))} releases, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    history()
