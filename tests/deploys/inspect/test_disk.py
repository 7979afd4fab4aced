"""A file system is told when it is fuller than the setting allows, by bytes and by inodes."""

from typing import Any

import pytest

from deploys.inspect import disk
from deploys.kit.errors import Refused
from deploys.kit.facts import Answer
from tests.deploys.known_host import KnownHost


def told(*lines: str, status: int = 0) -> list[tuple[str, str]]:
    host: Any = KnownHost(probes={"df": Answer(status, list(lines))})
    host.name = "host"
    return [(each.where, each.what) for each in disk.look(host, most_percent=80)]


def test_what_is_as_full_as_it_may_be_is_no_difference() -> None:
    assert told("80% 80% /", " 1%    - /srv/motorcade") == []


def test_bytes_and_inodes_are_told_each_by_its_file_system() -> None:
    assert told("81% 5% /", "5% 99% /srv/a b") == [
        ("/", "81 % of its bytes are in use; the limit is 80 (disk_percent_max)"),
        ("/srv/a b", "99 % of its inodes are in use; the limit is 80 (disk_percent_max)"),
    ]


@pytest.mark.parametrize(("lines", "status"), [((), 0), (("df: no",), 1)])
def test_a_host_that_does_not_tell_is_not_called_empty(lines: tuple[str, ...], status: int) -> None:
    with pytest.raises(Refused, match="host: does not report its disk usage"):
        told(*lines, status=status)
