"""The disposable host itself: bare, reachable, gone without a trace; its power, its snapshots, its crashes."""

# More than a minute: nearly every test boots a host, or kills what boots one.

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
import yaml

from deploys.kit.plan import services
from tests.lab import inputs
from tests.lab.archives import upstream_version
from tests.lab.command import run, until
from tests.lab.errors import LabError
from tests.lab.folders import PROJECT
from tests.lab.guest import BOOT_SECONDS
from tests.lab.host import Host, claim, every
from tests.lab.machine import CA_BUNDLE, pip_settings
from tests.lab.network import Network
from tests.lab.runs import words
from tests.lab.volume import DISKS

UP_SECONDS = 180


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab()


def traces(host: Host) -> list[str]:
    """All that is left of a host on this machine."""
    number = host.network.guest.removeprefix("mlab-")
    rules = run("iptables-save").splitlines()
    groups = Path("/sys/fs/cgroup").glob(f"*{host.name}*"), Path("/sys/fs/cgroup").glob(f"*/*{host.name}*")
    state = [path for path in Path("/run/systemd/nspawn").rglob("*") if host.network.guest in path.name]
    processes = [line for line in run("ps", "-eo", "pid,args").splitlines() if f"/{host.name}/" in line]
    return [
        *processes,
        *(rule for rule in rules if f"motorcade-lab-{number}" in rule or f"10.78.{int(number)}." in rule),
        *(str(path) for group in groups for path in group),
        *map(str, state),
        *(["interface"] if host.network.exists else []),
        *(str(path) for path in (host.directory, DISKS / host.name) if path.exists()),
    ]


def nspawn(host: Host) -> int:
    """The pid of the program around the guest."""
    named = [int(line) for line in run("ps", "-C", "systemd-nspawn", "-o", "pid=").splitlines()]
    [pid] = host.guest.group.pids() & set(named)
    return pid


def start_up(name: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.lab", "up", "--host", name],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_a_host_is_bare_and_all_its_units_are_well(host: Host) -> None:
    assert host.ssh("systemctl is-system-running").stdout.strip() == "running"
    assert host.ssh("hostname; . /etc/os-release; echo $VERSION_CODENAME").stdout.split() == [host.name, "trixie"]
    assert host.ssh("command -v podman docker crun", check=False).returncode != 0
    listening = host.root("ss -Hltn").stdout.split()
    assert {address.rpartition(":")[2] for address in listening if re.search(r":\d+$", address)} == {"22"}


def test_the_operator_is_not_root_but_may_become_it(host: Host) -> None:
    assert host.ssh("id -un").stdout.strip() == "operator"
    assert host.root("id -un").stdout.strip() == "root"
    assert host.root("cat", given="sent\n").stdout == "sent\n"


def test_a_command_that_fails_is_an_error_unless_asked_for(host: Host) -> None:
    assert host.ssh("exit 7", check=False).returncode == 7
    with pytest.raises(LabError, match=r"`echo no; exit 7` exits 7; it says: no"):
        host.ssh("echo no; exit 7")


def test_the_host_is_known_and_a_stranger_at_its_address_is_refused(host: Host) -> None:
    known = host.directory / "known_hosts"
    true = known.read_text()
    other = host.directory / "other"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other)
    known.write_text(f"{host.address} {other.with_suffix('.pub').read_text()}")
    try:
        assert "Host key verification failed" in host.ssh("true", check=False).stderr
    finally:
        known.write_text(true)
    assert host.ssh("true").returncode == 0


def test_the_host_reaches_the_mirror_and_offers_what_was_measured(host: Host) -> None:
    host.root("apt-get -q update", seconds=120)
    offered = upstream_version(host.root("apt-cache show --no-all-versions postgresql-17").stdout)
    assert yaml.safe_load((host.directory / "release.yaml").read_text())["postgres"]["version"] == offered


def test_the_manifest_is_completed_and_what_was_pinned_is_kept() -> None:
    manifest = {"base": {"sha256": "unpinned"}, "postgres": {"version": "17.1"}}
    done = inputs.complete(manifest, {"base": {"sha256": "ab"}, "postgres": {"version": "17.2"}})
    assert done == {"base": {"sha256": "ab"}, "postgres": {"version": "17.1"}}


def test_the_manifest_of_a_host_leaves_nothing_unpinned(host: Host) -> None:
    release = (host.directory / "release.yaml").read_text()
    assert "unpinned" not in release
    measured = run("sha256sum", host.directory / "base.tar").split()[0]
    assert yaml.safe_load(release)["base"]["sha256"] == measured


@pytest.mark.parametrize(
    ("shown", "version"), [("17.6-0+deb13u1", "17.6"), ("1:17.6-1", "17.6"), ("17~rc1-2", "17~rc1")]
)
def test_an_upstream_version_has_no_epoch_and_no_revision(shown: str, version: str) -> None:
    assert upstream_version(f"Package: postgresql-17\nVersion: {shown}\n") == version


def test_every_secret_of_the_lab_is_there_and_opens_with_the_key_of_its_host_only(host: Host) -> None:
    assert (host.directory / "identity.txt").stat().st_mode & 0o777 == 0o600
    files = sorted((host.directory / "secrets").glob("*.age"))
    assert {file.stem for file in files} == services.secrets().keys()
    own = pyrage.x25519.Identity.from_str((host.directory / "identity.txt").read_text().strip())
    stranger = pyrage.x25519.Identity.generate()
    for file in files:
        assert len(pyrage.decrypt(file.read_bytes(), [own])) >= 24
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(file.read_bytes(), [stranger])


def test_of_pip_only_what_holds_on_another_machine_is_taken_along() -> None:
    listed = """:env:.cert='/home/somebody/ca.pem'
global.find-links='/home/somebody/wheels'
global.extra-index-url='file:///home/somebody/simple https://packages.example/simple'
global.proxy='http://proxy.example:3128'
"""
    assert pip_settings(listed).splitlines() == [
        "[global]",
        f"cert = {CA_BUNDLE}",
        "extra-index-url = https://packages.example/simple",
        "proxy = http://proxy.example:3128",
    ]


def test_two_hosts_are_up_at_once_and_live_apart(host: Host, lab: Callable[..., Host]) -> None:
    other = lab()
    assert other.address != host.address
    identities = [
        each.root("cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub").stdout for each in (host, other)
    ]
    assert identities[0] != identities[1]
    # The init systems must not share a control group, or one would end the other's services.
    for each in (host, other):
        each.root("systemctl restart systemd-networkd ssh && touch /only-here && sleep 0.2")
        assert each.ssh("systemctl is-system-running").stdout.strip() == "running"
        each.root("rm /only-here")
        other.root("test ! -e /only-here")
    other.down()
    assert traces(other) == []
    assert host.ssh("true").returncode == 0
    host.root("apt-get -q update", seconds=120)


def test_pyinfra_finds_the_host_in_its_inventory(host: Host) -> None:
    (host.directory / "page.py").write_text(
        "from pyinfra.operations import files\nfiles.line(path='/etc/motd', line='deployed', _sudo=True)\n"
    )
    done = host.pyinfra(f"../.lab/{host.name}/page", seconds=60)
    assert done.returncode == 0, done.stdout
    assert host.ssh("tail -1 /etc/motd").stdout == "deployed\n"


def test_a_pyinfra_that_is_killed_goes_with_its_whole_session(host: Host) -> None:
    (host.directory / "page.py").write_text(
        "from pyinfra.operations import server\nserver.shell(commands=['sleep 97'])\n"
    )
    started = host.start_pyinfra(f"../.lab/{host.name}/page")
    assert started.says("Starting operation", 30), started.output
    started.send_all(signal.SIGKILL)
    assert started.wait(10) == -signal.SIGKILL
    assert until(lambda: not started.group.pids(), 5)


def test_pages_come_after_the_inventory_and_options_before_it() -> None:
    program, *line = words("h", ["plat_01", "plat_03"], {"verify": "again"}, ["-vvv"])
    assert Path(program).name == "pyinfra"
    expected = "-y -vvv --limit h --data verify=again inventories/lab.py deploys/plat_01.py deploys/plat_03.py"
    assert " ".join(line) == expected


def test_without_a_host_the_inventory_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "page.py").touch()
    (tmp_path / "inventories").mkdir()
    shutil.copy(PROJECT / "inventories/lab.py", tmp_path / "inventories")
    done = subprocess.run(
        [Path(sys.executable).with_name("pyinfra"), "-y", "inventories/lab.py", "page.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "no lab host is up; run `make lab`" in re.sub(r"\s+", " ", done.stdout + done.stderr)


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


@pytest.mark.parametrize("moment", ["copied", "started"])
def test_a_run_that_is_killed_while_it_makes_a_host_leaves_nothing_after_down(moment: str) -> None:
    made = claim()
    up = start_up(made.name)
    reached = {"copied": (made.guest.root / "usr").exists, "started": lambda: made.guest.runs}[moment]
    try:
        assert until(reached, UP_SECONDS)
        up.kill()
        up.wait()
        assert not made.is_made
        assert traces(made) != []
        assert made.is_taken
        assert made in every()
    finally:
        up.kill()
        up.wait()
        made.down()
    assert traces(made) == []


def test_up_makes_whole_what_a_killed_run_left_and_leaves_a_running_host_alone() -> None:
    made = claim()
    first = start_up(made.name)
    try:
        assert until(lambda: made.guest.runs, UP_SECONDS)
        first.kill()
        first.wait()
        made.up()
        before = nspawn(made)
        made.up()
        assert nspawn(made) == before
        assert made.ssh("systemctl is-system-running").stdout.strip() == "running"
    finally:
        first.kill()
        first.wait()
        made.down()
    assert traces(made) == []


def test_killing_systemd_nspawn_itself_leaves_a_guest_that_down_still_ends(lab: Callable[..., Host]) -> None:
    made = lab()
    outside = nspawn(made)
    made.guest.group.send(outside, signal.SIGKILL)
    assert until(lambda: outside not in made.guest.group.pids(), 5)
    assert made.guest.runs
    made.down()
    assert traces(made) == []


@pytest.mark.parametrize(
    "name", ["motorcade-lab-00", "motorcade-lab-1", "motorcade-web-01", "../motorcade-lab-01"]
)
def test_only_names_of_lab_hosts_are_taken(name: str) -> None:
    with pytest.raises(LabError, match="no name of a lab host"):
        Host.named(name)


def test_a_stranger_with_a_pid_of_the_group_is_not_signalled(host: Host) -> None:
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        host.guest.group.send(stranger.pid, signal.SIGKILL)
        assert stranger.poll() is None
        host.guest.group.send(2**22 - 1, signal.SIGKILL)
    finally:
        stranger.kill()
        stranger.wait()


def test_the_last_host_gives_the_machine_its_forwarding_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwarding = tmp_path / "ip_forward"
    forwarding.write_text("0\n")
    monkeypatch.setattr("tests.lab.network.FORWARDING", forwarding)
    monkeypatch.setattr("tests.lab.network.FORWARDING_BEFORE", tmp_path / "before")
    monkeypatch.setattr("tests.lab.network.MARK", "motorcade-test")
    first, second = Network(98), Network(99)
    try:
        first.open()
        second.open()
        second.open()
        assert forwarding.read_text() == "1"
        first.close()
        assert forwarding.read_text() == "1"
    finally:
        first.close()
        second.close()
    assert forwarding.read_text() == "0\n"
    assert "motorcade-test" not in run("iptables-save")
    assert not (tmp_path / "before").exists()


def test_a_host_of_another_checkout_is_neither_taken_nor_taken_away(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.lab.host.LAB", tmp_path)
    for act in (host.up, host.down):
        with pytest.raises(LabError, match="belongs to another checkout"):
            act()
    monkeypatch.undo()
    assert host.ssh("true").returncode == 0


def test_no_two_runs_claim_the_same_host() -> None:
    claimed = [claim() for _ in range(3)]
    try:
        assert len({host.name for host in claimed}) == 3
    finally:
        for host in claimed:
            host.down()


def test_no_two_checkouts_claim_the_same_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = claim()
    monkeypatch.setattr("tests.lab.host.LAB", tmp_path)
    theirs = claim()
    theirs.down()
    monkeypatch.undo()
    mine.down()
    assert mine.name != theirs.name
