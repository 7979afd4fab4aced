"""Copies of a deployed host: each a host of its own, none of something that is not whole."""

# More than a minute: each template is a host that boots, shuts down, and boots again as a copy.

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.lab import templates, volume
from tests.lab.deploying import NOTHING, deployed
from tests.lab.errors import LabError
from tests.lab.host import Host, Kept, claim
from tests.lab.templates import TABLE, Template
from tests.lab.volume import DISKS


@pytest.fixture
def _probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(TABLE, "probe", Template("bare", ()))
    yield
    shutil.rmtree(templates.TEMPLATES / "probe", ignore_errors=True)


@pytest.fixture
def host(_probe: None) -> Iterator[Host]:
    """A name, and nothing yet."""
    claimed = claim()
    yield claimed
    claimed.down()


def disks() -> list[Path]:
    return [path for path in (DISKS / "templates/probe").glob("*") if path.is_dir()]


def test_each_copy_is_a_host_of_its_own(lab: Callable[..., Host]) -> None:
    one, other = lab("network"), lab("network")
    own = "hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; hostname -I; date +%s >/dev/null"
    for line in zip(one.root(own).stdout.splitlines(), other.root(own).stdout.splitlines(), strict=True):
        assert line[0] != line[1]
    assert one.ssh("hostname").stdout.strip() == one.name
    one.root("podman volume create only-here && touch /only-here")
    assert other.root("podman volume ls --quiet; ls /only-here", check=False).stdout == ""
    for each in (one, other):
        assert deployed(each, "plat_01", "plat_02a").did == NOTHING
        assert each.ssh("systemctl is-system-running").stdout.strip() == "running"


def is_marked(host: Host) -> bool:
    return host.ssh("ls /marked", check=False).returncode == 0


def test_a_template_is_made_once_and_again_when_its_disk_is_lost(host: Host, lab: Callable[..., Host]) -> None:
    templates.up(host, "probe")
    (disk,) = disks()
    (disk / "marked").touch()
    assert is_marked(lab("probe"))
    volume.remove(disk)
    assert not is_marked(lab("probe"))


def test_a_template_whose_making_did_not_end_is_used_by_nobody(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_half(made: Host, kept: Kept) -> None:
        made.root("touch /marked")
        made.shut_down()
        volume.copy(made.guest.root, kept.disk)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Host, "keep", keep_half)
        with pytest.raises(KeyboardInterrupt):
            templates.up(host, "probe")
    assert [(disk / "marked").exists() for disk in disks()] == [True]
    assert not host.is_made
    templates.up(host, "probe")
    assert not is_marked(host)
    assert host.ssh("systemctl is-system-running").stdout.strip() == "running"


def test_a_template_is_not_kept_when_its_files_changed_while_it_was_made(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = (str(number) for number in count())
    monkeypatch.setattr(templates, "key", lambda: next(keys))
    with pytest.raises(LabError, match="files changed while it was made from them; run it again"):
        templates.up(host, "probe")
    assert disks() == []
