"""pip-audit over the locks, with the database of OSV, and how its answer is read."""

import json
import subprocess
import time
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from tests.locks import requirements

SERVICE: Final = "https://api.osv.dev/v1/query"
_CONTROL: Final = {"package": {"name": "jinja2", "ecosystem": "PyPI"}}  # it has had advisories for years
_CONTROL_SECONDS: Final = 5
_REQUEST_SECONDS: Final = 5
# What pip-audit ends with if the database goes away while it asks.
_LOST: Final = ("requests.exceptions.", "ServiceError", "Could not connect")


@dataclass(frozen=True)
class Outcome:
    """`not_run` says why nothing is known; `faults` are advisories, and reasons why a lock was not audited."""

    packages: int = 0
    not_run: str = ""
    faults: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        return 1 if self.faults else 0


def run(python: Path, locks: Sequence[Path], accepted: Sequence[str], service: str, seconds: int) -> Outcome:
    """`python` has pip-audit. Asks for each version of each package once; nothing is resolved or installed."""
    if why := _unfit(service):
        return Outcome(not_run=why)
    answers = []
    end = time.monotonic() + seconds
    for names in _rounds(locks):
        try:
            answers += _ask(python, names, accepted, service, end - time.monotonic())
        except subprocess.TimeoutExpired:
            return Outcome(not_run=f"{service} took more than {seconds} seconds")
        except LookupError as lost:
            return Outcome(not_run=str(lost))
        except ValueError as error:
            return Outcome(faults=(f"pip-audit: {error}; run it by hand",))
    return read(answers)


def _rounds(locks: Sequence[Path]) -> list[list[str]]:
    """`name==version` of all locks; pip-audit refuses a name twice, so another version waits a round."""
    versions: dict[str, set[str]] = defaultdict(set)
    for lock in locks:
        for each in requirements(lock.read_text(encoding="utf-8")):
            versions[canonicalize_name(each.name)].add(str(each.specifier))
    depth = max(map(len, versions.values()), default=0)
    columns = [[f"{name}{pin}" for pin in sorted(pins)] for name, pins in sorted(versions.items())]
    return [[column[number] for column in columns if number < len(column)] for number in range(depth)]


def _ask(
    python: Path, names: Sequence[str], accepted: Sequence[str], service: str, seconds: float
) -> list[dict[str, Any]]:
    """Raises LookupError if the database went away, ValueError if pip-audit failed, and TimeoutExpired."""
    ignored = [word for name in accepted for word in ("--ignore-vuln", name)]
    command = [
        *(str(python), "-m", "pip_audit", "--vulnerability-service", "osv", "--osv-url", service),
        *("--timeout", str(_REQUEST_SECONDS), "--no-deps", "--disable-pip", "--requirement", "/dev/stdin"),
        *("--format", "json", "--desc", "off", "--progress-spinner", "off", *ignored),
    ]
    done = subprocess.run(
        command, input="\n".join(names), capture_output=True, text=True, timeout=seconds, check=False
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2] or "it says nothing"
        if any(word in done.stderr for word in _LOST):
            raise LookupError(f"{service} stopped answering ({last})") from None
        raise ValueError(last) from None
    return found


def read(dependencies: Sequence[dict[str, Any]]) -> Outcome:
    """A package that was skipped is a fault: an audit that left it out must not look green."""
    faults = [f"{each['name']}: {each['skip_reason']}" for each in dependencies if "skip_reason" in each]
    faults += [
        f"{each['name']} {each['version']}: {found['id']}{_fixed(found)}"
        for each in dependencies
        for found in each.get("vulns", [])
    ]
    if not dependencies:
        faults.append("pip-audit: it found no package in the locks; run it by hand")
    return Outcome(len(dependencies), faults=tuple(sorted(set(faults))))


def _fixed(found: dict[str, Any]) -> str:
    versions = ", ".join(found["fix_versions"])
    return f", fixed in {versions}" if versions else ", without a fix"


def _unfit(service: str) -> str:
    """Why the database cannot be asked; a proxy that answers everything with nothing would be green otherwise."""
    request = urllib.request.Request(service, json.dumps(_CONTROL).encode())  # noqa: S310 - ours, or a test's
    try:
        with urllib.request.urlopen(request, timeout=_CONTROL_SECONDS) as answer:  # noqa: S310 - as above
            known = json.load(answer).get("vulns")
    except (OSError, ValueError, AttributeError) as error:
        return f"{service} cannot be asked ({error})"
    return "" if known else f"{service} knows no advisory of jinja2, so it knows nothing"
