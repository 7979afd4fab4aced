"""Names of lab hosts: each belongs to one run of one checkout, and the last host gives the machine back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.command import run
from tests.lab.errors import LabError
from tests.lab.host import Host, claim
from tests.lab.network import Network


@pytest.fixture(scope="module")
def host(lab: Callable[..., Host]) -> Host:
    return lab()


@pytest.mark.parametrize(
    "name", ["motorcade-lab-00", "motorcade-lab-1", "motorcade-web-01", "../motorcade-lab-01"]
)
def test_only_names_of_lab_hosts_are_taken(name: str) -> None:
    with pytest.raises(LabError, match="no name of a lab host"):
        Host.named(name)


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
