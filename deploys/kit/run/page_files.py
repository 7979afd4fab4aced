"""Whether the files of a page still are as it left them."""

from collections.abc import Iterable, Mapping
from shlex import quote

from pyinfra.api.host import Host

from deploys.kit.facts import Probe
from deploys.kit.run.steps import Step


def sums(host: Host, paths: Iterable[str]) -> dict[str, str]:
    """Path -> sha256 of the files that are there, in one round trip."""
    listed = " ".join(quote(path) for path in paths)
    answer = host.get_fact(Probe, f"sha256sum -- {listed} 2>/dev/null; true") if listed else None
    return {path: value for value, _, path in (text.partition("  ") for text in answer.lines)} if answer else {}


def of(step: Step, found: Mapping[str, str]) -> list[str]:
    """Every file that is not as the page left it, in a sentence; `found` is what `sums` returned."""
    return [
        f"{path} {'was changed' if path in found else 'is gone'}"
        for path, wanted in step.files.items()
        if found.get(path) != wanted
    ]
