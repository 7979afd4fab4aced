"""The state of hosts as one page for a browser: static, without script, and with nothing from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import jinja2

from deploys.inspect import sparkline
from deploys.inspect.finding import Finding
from deploys.inspect.host_status import Status
from deploys.inspect.sparkline import Line, Strip
from deploys.kit.errors import Refused
from deploys.services.alerts.samples import Day

_TEMPLATE: Final = Path(__file__).with_name("status.html")
_HELD: Final = ("a deploy holds the lock of this host", "python -m deploys.status says whose it is")


class Seen(NamedTuple):
    """One host; `day` is None where it was not asked for or the host could not be reached."""

    status: Status
    day: Day | None


class Shown(NamedTuple):
    """What the page shows of one host."""

    status: Status
    troubles: list[Finding]
    charts: list[Line | Strip]

    @property
    def bad_pages(self) -> int:
        return sum(not page.good for page in self.status.pages)

    @property
    def wrong(self) -> int:
        """How much is wrong."""
        return len(self.troubles) + self.bad_pages


def render(inventory: str, seen: Sequence[Seen], at: datetime) -> str:
    """The page of these hosts; `at` is when they were asked, in UTC."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE.parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    hosts = [shown(each) for each in seen]
    return environment.get_template(_TEMPLATE.name).render(
        inventory=inventory,
        hosts=hosts,
        count=sum(host.wrong for host in hosts),
        at=at,
        steps=sparkline.STEPS,
        height=sparkline.HEIGHT,
    )


def shown(seen: Seen) -> Shown:
    """Without the person who deploys: the page may lie where others read it."""
    status, day = seen
    troubles = [_read(trouble, status) for trouble in status.troubles]
    return Shown(status, troubles, sparkline.charts(day) if day else [])


def write(path: Path, page: str) -> None:
    """Replace the file in one step: a browser reads the old page or the new one, and no half. Raises Refused."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(page, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise Refused(str(path), f"cannot be written ({error.strerror})", "name another file") from error


def _read(trouble: str, status: Status) -> Finding:
    if trouble == status.lock:
        return Finding("trouble", status.host, *_HELD)
    return Finding.read("trouble", trouble)
