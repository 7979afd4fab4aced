"""The Debian packages in each image that runs on a host, checked against its record. Read-only.

Run from the repository root: `python -m deploys.packages inventories/prod.py`. The page that builds an image
lists its packages on the host, and the record of the run has the sha256 of the list, so a list that was changed is
refused. With `--write FOLDER`, each image becomes a CycloneDX document there. Exits with 1 if the packages of an
image are not known.
"""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.history import sbom
from deploys.inspect import connection
from deploys.kit.errors import Refused
from deploys.kit.facts import Probe, digest
from deploys.kit.operations.image import IDS
from deploys.kit.run import record, session

_RUNNING: Final = (
    "podman ps --quiet | xargs --no-run-if-empty podman inspect --format '{{.ImageName}} {{.Image}}'"
    " | grep '^localhost/motorcade-' | sort -u"
)
_REBUILD: Final = "run the page that builds it: PLAT_02B, PLAT_08B or LEADGEN_02"


@dataclass(frozen=True)
class Packages:
    """One image: its list as on the host, and the line of the record that has the list's sha256."""

    tag: str
    identity: str
    lines: Sequence[str]
    sha256: str
    line: int


def look(host: Host) -> Iterator[Packages | Refused]:
    """Each image that runs here, or why its packages are not known."""
    images = _ask(host, _RUNNING)
    known = sums(host)
    for running in images:
        tag, _, identity = running.partition(" ")
        try:
            yield of(host, tag, identity, known)
        except Refused as refused:
            yield refused


def of(host: Host, tag: str, identity: str, known: Mapping[str, tuple[str, int]]) -> Packages:
    """Raises Refused without a list, or if it is of another image or not the one that the record has."""
    path = f"{IDS}/{tag.rpartition('/')[2].replace(':', '-')}.packages"
    found = host.get_fact(Probe, f"cat {path}")
    if not found.green or not found.lines:
        raise Refused(f"{host.name}: {tag}", f"has no list of packages ({path})", _REBUILD)
    if found.lines[0] != identity:
        raise Refused(f"{host.name}: {tag}", f"{path} is of another image, {found.lines[0]}", _REBUILD)
    sha256 = digest("\n".join(found.lines) + "\n")
    recorded, line = known.get(path, ("", 0))
    if sha256 != recorded:
        why = f"{path} is not what line {line} of the record has" if line else f"no line of the record has {path}"
        raise Refused(f"{host.name}: {tag}", why, f"find out who changed it, remove it, and {_REBUILD}")
    return Packages(tag, identity, found.lines[1:], sha256, line)


def sums(host: Host) -> dict[str, tuple[str, int]]:
    """Path -> the sha256 that the record has last, and in which line. Raises Refused for a damaged record."""
    text = "\n".join(_ask(host, f"cat {session.DIRECTORY}/record.jsonl | tr -cd '\\n -~'"))
    lines = io.BytesIO(f"{text}\n".encode()).readlines()
    if faults := record.verify(lines):
        raise Refused(f"{host.name}: record", "; ".join(faults), "find out who changed it")
    found: dict[str, tuple[str, int]] = {}
    for event in filter(None, map(record.parse, lines)):
        found |= {path: (sha256, event["line"]) for path, sha256 in event.get("sums", {}).items()}
    return found


def _ask(host: Host, command: str) -> list[str]:
    answer = host.get_fact(Probe, command)
    if not answer.green and answer.lines:
        raise Refused(host.name, f"does not answer: {' '.join(answer.lines)}", "check the host")
    return answer.lines


@click.command("packages")
@click.argument("inventory", type=click.Path(exists=True, dir_okay=False))
@click.option("--limit", help="One host of the inventory.")
@click.option("--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="For the documents.")
def command(inventory: str, limit: str | None, folder: Path | None) -> None:
    """Say which Debian packages the running images hold; exit 1 where that is not known."""
    good = True
    try:
        for name in [limit] if limit else connection.named(inventory):
            with connection.connected(inventory, name) as (host,), ctx_host.use(host):
                found = list(look(host))
            good = good and bool(found) and not any(isinstance(each, Refused) for each in found)
            for each in found:
                click.echo(each if isinstance(each, Refused) else described(name, each))
                if folder and isinstance(each, Packages):
                    click.echo(f"  wrote {written(folder, name, each)}")
    except PyinfraError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if good else 1)


def described(host: str, found: Packages) -> str:
    proof = f"sha256 {found.sha256}, line {found.line} of the record"
    return f"{host}: {found.tag} has {len(found.lines)} packages; {proof}"


def written(folder: Path, host: str, found: Packages) -> Path:
    """The document of one image."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{host}-{found.tag.rpartition('/')[2].replace(':', '-')}.cdx.json"
    made = datetime.now(UTC).replace(microsecond=0)
    path.write_text(sbom.debian(found.tag, found.identity, found.lines, made), encoding="utf-8")
    return path


if __name__ == "__main__":
    command()
