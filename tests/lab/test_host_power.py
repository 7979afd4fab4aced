"""A lab host loses its power, restarts, shuts down, goes back to a snapshot, or does not come up."""

# More than a minute: nearly every test boots a host.

from collections.abc import Callable

import pytest

from tests.lab.command import until
from tests.lab.errors import LabError
from tests.lab.guest import BOOT_SECONDS
from tests.lab.host import Host


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab()


def test_without_power_no_process_gets_another_word_and_the_disk_is_as_it_was(host: Host) -> None:
    before = host.ssh("cat /proc/sys/kernel/random/boot_id; cat /proc/1/stat | cut -d' ' -f22").stdout
    unit = "systemd-run --quiet --unit=dying --property=ExecStop='/bin/touch /in-order' sleep 600"
    host.root(f"{unit} && echo kept > /kept")
    host.power_off()
    assert not host.guest.runs
    assert not host.network.exists
    host.boot()
    assert host.ssh("cat /kept").stdout == "kept\n"
    assert host.ssh("cat /proc/sys/kernel/random/boot_id; cat /proc/1/stat | cut -d' ' -f22").stdout != before
    host.root("test ! -e /in-order")


def test_a_host_that_asks_for_a_reboot_is_back_by_itself(host: Host) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = host.ssh(boot).stdout
    host.root("echo kept > /kept; systemctl reboot --no-block")
    assert until(lambda: host.ssh(boot, check=False).stdout not in {"", before}, BOOT_SECONDS)
    assert host.ssh("cat /kept").stdout == "kept\n"
    host.root("apt-get -q update", seconds=120)


def test_what_is_sent_to_a_host_that_is_gone_leaves_by_no_other_way(host: Host) -> None:
    with host.network.dial(22, 5) as open_:
        assert open_.recv(4) == b"SSH-"
    host.power_off()
    with pytest.raises(OSError, match="No such device"):
        host.network.dial(22, 5)
    host.boot()


def test_shut_down_in_order_every_service_may_say_goodbye(host: Host) -> None:
    host.root("systemd-run --quiet --unit=ending --property=ExecStop='/bin/touch /in-order' sleep 600")
    host.shut_down()
    assert not host.guest.runs
    host.boot()
    host.root("rm /in-order")


def test_a_snapshot_brings_back_everything_that_was_changed_added_and_removed(host: Host) -> None:
    host.root("mkdir /data && echo aaaa > /data/changed && echo bbbb > /data/removed && chmod 600 /data/changed")
    host.root("ln /data/changed /data/linked && touch -d '2026-01-01 00:00:00.1' /data/changed")
    host.snapshot("test")
    before = host.root("cd /data && stat -c '%n %a %h %s %y' * && cat *").stdout
    # The same size within the same second: only the nanoseconds tell.
    host.root(
        "echo cccc > /data/changed && touch -d '2026-01-01 00:00:00.2' /data/changed && chmod 644 /data/changed"
    )
    host.root("rm /data/removed && touch /data/added && rm /data/linked")
    assert host.root("cd /data && cat *").stdout == "cccc\n"
    host.restore("test")
    assert host.root("cd /data && stat -c '%n %a %h %s %y' * && cat *").stdout == before


def test_a_snapshot_that_was_never_taken_is_asked_for_first(host: Host) -> None:
    with pytest.raises(LabError, match="no snapshot `unknown`; take it first"):
        host.restore("unknown")
    assert host.ssh("true").returncode == 0


def test_a_host_that_does_not_answer_is_an_error_that_quotes_its_console(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.root("systemctl --quiet disable ssh")
    host.power_off()
    monkeypatch.setattr("tests.lab.host.BOOT_SECONDS", 3)
    try:
        with pytest.raises(
            LabError, match=r"(?s)no answer over SSH after 3 s; read .*console.log.*Reached target"
        ):
            host.boot()
    finally:
        host.power_off()
        (host.guest.root / "etc/systemd/system/multi-user.target.wants/ssh.service").symlink_to(
            "/usr/lib/systemd/system/ssh.service"
        )
        monkeypatch.undo()
        host.boot()
