"""The disposable host itself: bare, reachable, and known to its operator; two at once live apart."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
import yaml

from deploys.kit.plan import services
from tests.lab.archives import upstream_version
from tests.lab.command import run
from tests.lab.errors import LabError
from tests.lab.folders import PROJECT
from tests.lab.host import Host
from tests.lab.runs import words
from tests.lab.traces import traces


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab()


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
    host.hang_up()
    try:
        assert "Host key verification failed" in host.ssh("true", check=False).stderr
    finally:
        known.write_text(true)
    assert host.ssh("true").returncode == 0


def test_the_host_reaches_the_mirror_and_offers_what_was_measured(host: Host) -> None:
    host.root("apt-get -q update", seconds=120)
    offered = upstream_version(host.root("apt-cache show --no-all-versions postgresql-17").stdout)
    assert yaml.safe_load((host.directory / "release.yaml").read_text())["postgres"]["version"] == offered


def test_the_manifest_of_a_host_leaves_nothing_unpinned(host: Host) -> None:
    release = (host.directory / "release.yaml").read_text()
    assert "unpinned" not in release
    measured = run("sha256sum", host.directory / "base.tar").split()[0]
    assert yaml.safe_load(release)["base"]["sha256"] == measured


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
