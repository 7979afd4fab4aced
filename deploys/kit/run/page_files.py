"""Whether the files of a page have changed since it wrote them."""

from collections.abc import Iterable, Mapping
from shlex import quote

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.kit.run.steps import Step


def sums(host: Host, paths: Iterable[str]) -> dict[str, str]:
    """Path -> sha256 of the files that exist, in one round trip."""
    listed = " ".join(quote(path) for path in paths)
    answer = host.get_fact(Probe, f"sha256sum -- {listed} 2>/dev/null; true") if listed else None
    return {path: value for value, _, path in (text.partition("  ") for text in answer.lines)} if answer else {}


def of(step: Step, found: Mapping[str, str]) -> list[str]:
    """One sentence per file that has changed since the page wrote it; `found` is what `sums` returned."""
    return [
        f"{path} {'was changed' if path in found else 'is gone'}"
        for path, wanted in step.files.items()
        if found.get(path) != wanted
    ]
