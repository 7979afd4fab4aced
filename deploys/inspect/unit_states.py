"""The platform's units as systemd sees them now, and what is wrong with each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from typing_extensions import override

_SECONDS: Final = 20
_KNOWN: Final = (
    "systemctl list-units --all --plain --no-legend --type=service,timer,socket,path 'motorcade*' nginx.service"
    " | cut -d ' ' -f 1"
)
# A unit that the generator dropped exists only as its file.
_FILES: Final = 'for file in /etc/containers/systemd/*.container; do basename "$file" .container; done'
_LOOK: Final = (
    f'files=" $({_FILES} | tr "\\n" " ")";'
    f' for unit in $( {{ {_KNOWN}; for file in $files; do echo "$file.service"; done; }} | sort -u); do'
    ' echo "== $unit"; case $files in *" ${unit%.service} "*) echo Quadlet=yes;; esac;'
    ' systemctl show --property=LoadState,ActiveState,SubState,Type,Result,NRestarts,WantedBy "$unit"; done; true'
)


@dataclass(frozen=True)
class UnitState:
    """One unit; `shown` is the output of `systemctl show`, with `Quadlet` for a unit of the generator."""

    name: str
    shown: Mapping[str, str]

    @property
    def wanted(self) -> bool:
        """Whether it is enabled at boot."""
        return any(unit.endswith(".target") for unit in self.shown.get("WantedBy", "").split())

    @property
    def trouble(self) -> str:
        """Why it is red, as `where: what; what to do`; empty when it is well."""
        load, active, sub = (self.shown.get(key, "") for key in ("LoadState", "ActiveState", "SubState"))
        look = f"run sudo systemctl status {self.name}"
        if load == "masked":
            return f"{self.name}: is masked; sudo systemctl unmask {self.name}, then deploys/platform.py"
        if load != "loaded":
            made = self.wanted or "Quadlet" in self.shown
            return f"{self.name}: is {load}; run the page that owns its file again" if made else ""
        if active == "failed":
            return f"{self.name}: failed ({self._end}); {look}"
        # A one-shot that succeeded is inactive until it is started again.
        if self.wanted and active not in ("active", "reloading") and self.shown.get("Type") != "oneshot":
            return f"{self.name}: is {active} ({sub}, {self._end}), but is enabled at boot; {look}"
        return ""

    @property
    def _end(self) -> str:
        restarts = f", restarted {self.shown['NRestarts']} times" if "NRestarts" in self.shown else ""
        return f"result {self.shown.get('Result') or 'unknown'}{restarts}"


class UnitStates(FactBase[list[UnitState]]):
    """Every service, timer, socket and path of ours, and nginx if installed."""

    default = list

    @override
    def command(self) -> StringCommand:
        return StringCommand(f"timeout {_SECONDS} sh -c", QuoteString(_LOOK))

    @override
    def process(self, output: list[str]) -> list[UnitState]:
        found: dict[str, dict[str, str]] = {}
        for line in output:
            if line.startswith("== "):
                shown = found.setdefault(line.removeprefix("== "), {})
            elif line:
                key, _, value = line.partition("=")
                shown[key] = value
        return [UnitState(name, shown) for name, shown in found.items()]
