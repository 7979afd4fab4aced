"""What the kernel limits in front of nginx: how many connections one address may have."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.kit.errors import Refused
from deploys.kit.facts import Probe
from deploys.kit.shell import SPARE_SECONDS, bounded
from deploys.services.nginx import Edge

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

UNIT: Final = "motorcade-nginx-limits.service"
RULES: Final = "/etc/motorcade/nginx/limits.conf"
SCRIPT: Final = "/etc/motorcade/nginx/limits.sh"
BLOCKS: Final = "/var/lib/motorcade/blocks"
LOADED: Final = f"sh {SCRIPT} check"
CHANGED: Final = "other rules than those of the file"  # limits.sh says so
_WHY: Final = f"journalctl --unit {UNIT} --lines 5 --no-pager"
_LOAD_SECONDS: Final = 60


def check(edge: Edge) -> None:
    """Raises Refused, at load, if a caller would lose connections that nginx would still take."""
    if edge.edge_connections <= edge.requests_at_once:
        raise Refused(
            "group_data",
            f"edge_connections is {edge.edge_connections}, and {edge.requests_at_once} requests of one address may"
            " wait for the intake, each on a connection",
            f"set it to more than {edge.requests_at_once}",
        )


def loaded(page: "Page") -> None:
    """The rules of the file are in the kernel."""
    page.uses("limits are loaded", LOADED)
    _loaded(page=page, **page.op(f"{UNIT} is done", _LOAD_SECONDS + SPARE_SECONDS))


@operation()
def _loaded(page: "Page") -> Generator[StringCommand]:
    answer = host.get_fact(Probe, LOADED)
    if answer.green:
        host.noop(f"{page.id}: {UNIT} is done")
        return
    # Rules that are gone are loaded from an unchanged file, which changes nothing that is frozen.
    if CHANGED in answer.lines:
        page.may_change(f"{UNIT} ({CHANGED})")
    yield bounded(f"systemctl restart {UNIT} || {{ {_WHY}; exit 1; }}", _LOAD_SECONDS)
