"""Watches: a timer asks a service one question and restarts a hung service, a limited number of times."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Final

from deploys.kit.operations import hostfiles, units
from deploys.kit.operations.hostfiles import HostDirectory, HostFile, render

if TYPE_CHECKING:
    from deploys.kit.run.page import Page

PROGRAMS: Final = "/usr/local/libexec"
RECOVERIES_AN_HOUR: Final = 3  # what three restarts have not fixed, a fourth will not


@dataclass(frozen=True)
class Question:
    r"""What a healthy service answers within five seconds, over TCP and without a password.

    `address` is an IPv4 address, or the path of a file that holds it; `network` is its network, for
    IPAddressAllow=. `request` may hold \r and \n as escapes; `answer` is how the reply's first line begins.
    """

    address: str
    port: int
    network: str
    request: str
    answer: str


def files(page: "Page", name: str, unit: str, question: Question) -> list[HostFile]:
    """Program, service and timer of the watch `name` over `unit` (`motorcade-redis.service`)."""
    values = {
        "page": page.id,
        "name": name,
        "program": f"{PROGRAMS}/{name}",
        "unit": unit,
        "address": question.address,
        "port": question.port,
        "network": question.network,
        "request": quote(question.request),
        "answer": quote(question.answer),
        "recoveries": RECOVERIES_AN_HOUR,
    }
    return [
        HostFile(f"{PROGRAMS}/{name}", render("kit/watch.bash", **values), "755"),
        HostFile(f"/etc/systemd/system/{name}.service", render("kit/watch.service", **values)),
        HostFile(f"/etc/systemd/system/{name}.timer", render("kit/watch.timer", **values)),
    ]


def keep(page: "Page", name: str, wanted: Sequence[HostFile]) -> None:
    """The watch is installed, loaded from its current files, enabled at boot, and running."""
    hostfiles.directories(page, [HostDirectory(PROGRAMS)])
    hostfiles.place(page, wanted, f"{name}, the watch")
    units.loaded(page, f"{name}.service")
    units.enabled(page, f"{name}.timer")
    units.running(page, f"{name}.timer")


def green(name: str) -> str:
    """Shell: the watch itself works, and its last question was answered."""
    return f'[ "$(systemctl show -P Result {name}.service)" = success ] && [ ! -e /run/{name}/misses ]'
